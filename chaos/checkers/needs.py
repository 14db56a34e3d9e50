"""A run that requires a notice goes on with one, and each notice meets one run.

Rules:
1. Of its job no more runs have started, at the end and at any instant of the log, than notices may have been
   posted: what was refused was not, what had no answer may have been.
2. Each that was acknowledged was there for a run: where one waited in vain, all of those before it were used.
"""

from __future__ import annotations

from chaos.case import Case, milliseconds
from chaos.checkers import Finding, Offence, finding, runs_of
from chaos.needs import JOB

NAME = "needs"


def check(case: Case) -> Finding:
    posts = [op for op in case.operations if op.op == "post"]
    if not posts:
        return Finding(NAME, "pass", "this load posts no notices")
    runs = runs_of(case, JOB)
    if not runs:
        return Finding(NAME, "invalid", "runs that require a notice were not read")
    offences: list[Offence] = []
    begun = sorted((milliseconds(run["started"]), run["id"]) for run in runs if run["started"] is not None)
    may = [op for op in posts if op.outcome != "fail"]
    for number, (started_ms, run) in enumerate(begun, 1):
        there = len([op for op in may if op.began_s <= case.at_s(started_ms) + SLACK_S])
        if number > there:
            said = f"run {run} started as number {number}, and {there} notices may have been there"
            offences.append(Offence("without", said, case.at_s(started_ms), JOB, run=run))
    sure = [op for op in posts if op.outcome == "ok"]
    for run in runs:
        if run["state"] == "cancelled" and run["reason"] == "requires" and run["finished"] is not None:
            before_ms = milliseconds(run["finished"])
            there = len([1 for op in sure if (op.ended_s or 0.0) + SLACK_S < case.at_s(before_ms)])
            used = len([1 for started_ms, _ in begun if started_ms <= before_ms + HEARD_MS])
            if used < there:
                said = f"run {run['id']} had no more patience: {there} notices were there, {used} were used"
                offences.append(Offence("in-vain", said, case.at_s(before_ms), JOB, run=run["id"]))
    counts = {"runs": len(runs), "met": len(begun), "notices": len(sure)}
    return finding(NAME, offences, ", ".join(f"{count} {name}" for name, count in counts.items()), counts)


SLACK_S = 1.0  #: between the clock of the log and that of the harness
HEARD_MS = 60_000
"""A run that has its notice may wait so long for an agent."""
