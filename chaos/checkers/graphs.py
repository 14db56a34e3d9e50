"""A graph takes the branch that its conditions say, with the values that were written, whoever leads.

Rules:
1. No command found that it was the wrong one, or that it was given another value than was written.
2. A run that succeeded took the branch of its own number, and that alone; branches met again; what follows a
   failure did not begin.
3. What follows a failure begins in no run without one: after a success and after a skip alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chaos.case import Case
from chaos.checkers import Finding, Offence, finding, runs_of
from chaos.graphs import BRANCHES, CLEAN_UP, EVEN, EXTRACT, JOB, MEET, NEVER, ODD, WRONG

NAME = "graphs"
FAILURES = frozenset({"failed", "timed_out", "lost", "expired"})


def check(case: Case) -> Finding:
    runs = runs_of(case, JOB)
    if not runs:
        return Finding(NAME, "pass", "no graph ran in this load")
    offences = [offence for run in runs for offence in _of_run(run)]
    good = sum(run["state"] == "succeeded" for run in runs)
    return finding(NAME, offences, f"{len(runs)} graphs, {good} succeeded", {"graphs": len(runs)})


def _of_run(run: Mapping[str, Any]) -> Iterator[Offence]:
    number, tasks = int(run["id"]), run["tasks"]
    for name, task in tasks.items():
        if any(attempt["exit_code"] == WRONG for attempt in task["attempts"]):
            detail = f"{name} of run {number} was not to run, or was given another value"
            yield Offence("wrong-branch", detail, None, JOB, run=number)
    states = {name: task["state"] for name, task in tasks.items()}
    expected = _expected(number)
    if run["state"] == "succeeded" and states != expected:
        detail = f"run {number} succeeded with {states}, not {expected}"
        yield Offence("wrong-states", detail, None, JOB, run=number)
    begun = bool(tasks.get(CLEAN_UP, {}).get("attempts"))
    if begun and not any(states.get(name) in FAILURES for name in (EXTRACT, *BRANCHES)):
        detail = f"{CLEAN_UP} of run {number} began without a failure: {states}"
        yield Offence("catch-without-failure", detail, None, JOB, run=number)


def _expected(number: int) -> dict[str, str]:
    taken, other = (ODD, EVEN) if number % 2 else (EVEN, ODD)
    skipped = dict.fromkeys((other, NEVER, CLEAN_UP), "skipped")
    return {**dict.fromkeys((EXTRACT, taken, MEET), "succeeded"), **skipped}
