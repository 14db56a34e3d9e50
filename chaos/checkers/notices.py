"""Who asked to be told of failures is told of each, and of nothing else.

Rules:
1. Each run that ended so that its job wants it told was heard of, or waits in the outbox in the end.
2. Of one run all that was heard has one id and one body, whoever led. What was heard is of a run that the
   list shows as ended so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from chaos.case import Case
from chaos.checkers import Finding, Offence, finding

NAME = "notices"
TOLD = frozenset({"failed", "timed_out", "lost"})


def check(case: Case) -> Finding:
    jobs = {o.arguments["job"] for o in case.operations if o.op == "declare" and o.arguments.get("tells")}
    heard: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in case.history:
        if entry["kind"] == "heard":
            heard[int(entry["run"])].append(entry)
    if not jobs or "runs" not in case.final:
        return finding(NAME, [], "nobody was to be told")
    ended = {int(r["id"]): r for r in case.final["runs"] if r["job"] in jobs and r["state"] in TOLD}
    offences = [*_untold(case, ended, set(heard)), *_wrong(ended, heard)]
    counts = {"failures": len(ended), "heard": sum(map(len, heard.values()))}
    return finding(NAME, offences, f"{len(ended)} failures, {counts['heard']} notices heard", counts)


def _untold(case: Case, ended: Mapping[int, Mapping[str, Any]], heard: set[int]) -> Iterator[Offence]:
    waiting = {int(effect["run"]) for effect in case.final.get("outbox", []) if effect["run"]}
    for run in sorted(set(ended) - heard - waiting):
        detail = f"run {run} of {ended[run]['job']} is {ended[run]['state']}; nobody was told, nothing waits"
        yield Offence("untold-failure", detail, None, ended[run]["job"], run=run)


def _wrong(
    ended: Mapping[int, Mapping[str, Any]], heard: Mapping[int, list[Mapping[str, Any]]]
) -> Iterator[Offence]:
    for run, entries in heard.items():
        if run not in ended:
            yield Offence("told-of-nothing", f"heard that run {run} failed", entries[0]["t"], run=run)
        if len({(entry["notice"], entry["sha256"]) for entry in entries}) > 1:
            ids = sorted({entry["notice"] for entry in entries})
            yield Offence("told-otherwise", f"of run {run} under {ids}", entries[-1]["t"], run=run)
