"""A run that requires a notice goes on with one, and each notice meets one run. One that asks an agent
goes on once that said yes.

Rules:
1. Of its job no more runs have started, at the end and at any instant of the log, than notices may have been
   posted: what was refused was not, what had no answer may have been.
2. Each that was acknowledged was there for a run: where one waited in vain, all of those before it were used.
3. A run that asks an agent starts after a try of that which ended well, and what it asks starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from chaos.case import Case, milliseconds
from chaos.checkers import Finding, Offence, finding, runs_of
from chaos.needs import CHECKED, JOB

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
    offences += _unasked(case)
    counts = {"runs": len(runs), "met": len(begun), "notices": len(sure)}
    return finding(NAME, offences, ", ".join(f"{count} {name}" for name, count in counts.items()), counts)


def _unasked(case: Case) -> Iterator[Offence]:
    for run in runs_of(case, CHECKED):
        if run["started"] is None:
            continue
        tries = run["tasks"].get(CHECK, {"attempts": ()})["attempts"]
        well = [milliseconds(each["finished"]) for each in tries if each["state"] == "succeeded"]
        started_ms = milliseconds(run["started"])
        if not any(at_ms <= started_ms + CLOCK_MS for at_ms in well):
            said = f"run {run['id']} started, and what it asked had not ended well: {len(tries)} tries"
            yield Offence("unasked", said, case.at_s(started_ms), CHECKED, run=run["id"])


CHECK = "@requires-0"
CLOCK_MS = 1_000  #: between the clock of the agent that tells of the end and that of the log
SLACK_S = 1.0  #: between the clock of the log and that of the harness
HEARD_MS = 60_000
"""A run that has its notice may wait so long for an agent."""
