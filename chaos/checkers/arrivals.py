"""What comes makes what it is to make, once: each notice a run, the end of that one more, and both together;
a job that counts from the end of its last run keeps that distance.

Rules:
1. A notice is known by its plan date. One that was acknowledged has one entry of each job; one of which no
   answer told may have; one that nobody posted has none.
2. What ended without a run was skipped in a pause, by the ledger's word, and nobody paused it without a word
   in the history. What came of a notice and a run together is no older than the end of that run.
3. A run that is due after a delay is due exactly so long after the end of the run that its cause names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from chaos.arrivals import DELAY_MS, FOLLOWS, HEARD, JOBS, PACED, TOGETHER
from chaos.case import Case, milliseconds
from chaos.checkers import Finding, Offence, finding
from chaos.checkers.spans import holding_job, possibly

NAME = "arrivals"
PACED_LEAST = 3
SLACK_S = 1.0
HEARD_S = 5.0

Runs = dict[str, list[dict[str, Any]]]


def check(case: Case) -> Finding:
    told = [op for op in case.operations if op.op == "tell"]
    if not told:
        return Finding(NAME, "pass", "this load tells of nothing")
    entries = case.final.get("arrivals")
    if not entries or not case.final.get("runs"):
        return Finding(NAME, "invalid", "what came of notices was not read")
    by_job: Runs = defaultdict(list)
    for run in case.final["runs"]:
        by_job[run["job"]].append(run)
    sure = {op.arguments["day"] for op in told if op.outcome == "ok"}
    may = {op.arguments["day"] for op in told if op.outcome != "fail"}
    offences = [*_heard(case, by_job, entries, sure, may), *_together(case, by_job, entries, sure)]
    offences += [*_followed(case, by_job, entries), *_paced(case, by_job[PACED])]
    counts = {"notices": len(sure), **{job: len(by_job[job]) for job in JOBS}}
    return finding(NAME, offences, ", ".join(f"{count} {name}" for name, count in counts.items()), counts)


def _fired(runs: list[dict[str, Any]], cause: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        if run["cause"] == cause:
            found[run["plan_date"]].append(run)
    return found


def _heard(case: Case, by_job: Runs, entries: Any, sure: set[str], may: set[str]) -> Iterator[Offence]:
    fired = _fired(by_job[HEARD], "notice")
    for day, runs in fired.items():
        if day not in may:
            yield Offence("never-told", f"run {runs[0]['id']} is of {day}", None, HEARD, run=runs[0]["id"])
        if len(runs) > 1:
            said = f"the notice of {day} made the runs {[run['id'] for run in runs]}"
            yield Offence("heard-twice", said, None, HEARD, run=runs[-1]["id"])
    missing = sorted(may - set(fired))
    for day in missing[: len(missing) - entries.get("left", 0)]:  # heard in order: the last may be yet to be
        if day not in sure:
            continue
        yield Offence("unheard", f"the notice of {day} made no run", None, HEARD)
    yield from _skipped(case, HEARD, entries)


def _is_over(case: Case, run: dict[str, Any]) -> bool:
    """Long enough before all was read that what waits for its end has heard of it."""
    if run["finished"] is None:
        return False
    return case.at_s(milliseconds(run["finished"])) < case.phases.get("final", 0.0) - HEARD_S


def _followed(case: Case, by_job: Runs, entries: Any) -> Iterator[Offence]:
    made: dict[str, list[int]] = defaultdict(list)
    for run in by_job[FOLLOWS]:
        made[run["cause_key"].rpartition("/")[2]].append(int(run["id"]))
    decided = {each["cause_key"].rpartition("/")[2] for each in entries.get(FOLLOWS, ())}
    for run in by_job[HEARD]:
        runs = made.pop(str(run["id"]), [])
        if len(runs) > 1:
            said = f"the end of run {run['id']} made the runs {runs}"
            yield Offence("followed-twice", said, None, FOLLOWS, run=runs[-1])
        if not runs and str(run["id"]) not in decided and _is_over(case, run):
            said = f"nothing came of the end of run {run['id']}"
            yield Offence("not-followed", said, case.at_s(milliseconds(run["finished"])), FOLLOWS)
    for ends, runs in made.items():
        yield Offence("bad-cause", f"run {runs[0]} is of {ends}", None, FOLLOWS, run=runs[0])
    yield from _skipped(case, FOLLOWS, entries)


def _together(case: Case, by_job: Runs, entries: Any, sure: set[str]) -> Iterator[Offence]:
    fired, heard = _fired(by_job[TOGETHER], "all_of"), _fired(by_job[HEARD], "notice")
    decided = {each["cause_key"].rpartition("/")[2] for each in entries.get(TOGETHER, ())}
    for day, runs in fired.items():
        if len(runs) > 1:
            said = f"{day} made the runs {[run['id'] for run in runs]}"
            yield Offence("gathered-twice", said, None, TOGETHER, run=runs[-1]["id"])
        ends = [run["finished"] for run in heard.get(day, ()) if run["finished"] is not None]
        if not ends or milliseconds(runs[0]["created"]) < min(map(milliseconds, ends)):
            said = f"run {runs[0]['id']} of {day}, before anything of {HEARD} had ended"
            yield Offence("incomplete", said, None, TOGETHER, run=runs[0]["id"])
    for day in sorted(sure & set(heard)):
        if day not in fired and day not in decided and _is_over(case, heard[day][0]):
            yield Offence("not-gathered", f"nothing came of {day}", None, TOGETHER)
    yield from _skipped(case, TOGETHER, entries)


def _skipped(case: Case, job: str, entries: Any) -> Iterator[Offence]:
    """What ended without a run. How a run ends that was made is for `results`."""
    spans = possibly(case, *holding_job(job))
    for entry in entries.get(job, ()):
        if entry["outcome"] in ("ran", "pending") or entry["run"]:
            continue
        at_s = case.at_s(milliseconds(entry["at"]))
        stands = any(span.since_s - SLACK_S <= at_s <= span.until_s + SLACK_S for span in spans)
        if (entry["outcome"], entry["reason"]) != ("skipped", "paused") or not stands:
            said = f"{entry['cause_key']} ended as {entry['outcome']}({entry['reason']})"
            yield Offence("bad-end", said, at_s, job)


def _paced(case: Case, runs: list[dict[str, Any]]) -> Iterator[Offence]:
    ends = {str(run["id"]): run["finished"] for run in runs}
    if len(runs) < PACED_LEAST:
        yield Offence("silent", f"{PACED} ran {len(runs)} times", case.phases.get("until"), PACED)
    last_ms = 0
    for run in sorted(runs, key=lambda each: int(each["id"])):
        _, anchor, at = run["cause_key"].split("/")
        due_ms = milliseconds(run["due"])
        ended = ends.get(anchor)
        if anchor != "0" and (ended is None or milliseconds(ended) != int(at)):
            said = f"run {run['id']} counts from run {anchor} at {at}, which ended at {ended}"
            yield Offence("wrong-anchor", said, case.at_s(due_ms), PACED, run=run["id"])
        if due_ms != int(at) + DELAY_MS:
            said = f"run {run['id']} is due {due_ms - int(at)} ms after {at}"
            yield Offence("wrong-distance", said, case.at_s(due_ms), PACED, run=run["id"])
        if due_ms < last_ms + DELAY_MS:
            said = f"run {run['id']} is due {due_ms - last_ms} ms after the end of the run before it"
            yield Offence("too-soon", said, case.at_s(due_ms), PACED, run=run["id"])
        last_ms = due_ms if run["finished"] is None else milliseconds(run["finished"])
