"""A delivery that a hook took makes one run of its job, whoever was asked and however often.

Rules:
1. All answers to one delivery tell the same: the run that it made, or why it made none.
2. A run that was told is there, of that delivery. Of one delivery there is one run at most, and none that
   nobody sent. One that no answer told of may have one: the answer was lost.
3. One that ended without a run has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chaos.case import Case
from chaos.checkers import Finding, Offence, finding
from chaos.history import Operation
from chaos.senders import JOB

NAME = "deliveries"
CAUSE = "webhook"

Told = Mapping[str, Sequence[tuple[Operation, Any]]]


def check(case: Case) -> Finding:
    sent = {op.arguments["delivery"] for op in case.operations if op.op == "deliver"}
    if not sent:
        return Finding(NAME, "pass", "nothing was delivered in this load")
    told: dict[str, list[tuple[Operation, Any]]] = defaultdict(list)
    for op in case.operations:
        if op.op == "deliver" and op.outcome == "ok":
            told[op.arguments["delivery"]].append((op, op.result["firings"]))
    made: dict[str, list[int]] = defaultdict(list)
    for run in case.final.get("runs", []):
        if run["job"] == JOB and run["cause"] == CAUSE:
            made[str(run["cause_key"]).partition("/")[2]].append(int(run["id"]))
    offences = [*_otherwise(told), *_made(told, made, sent)]
    counts = {"sent": len(sent), "taken": len(told), "runs": sum(map(len, made.values()))}
    return finding(NAME, offences, f"{counts['taken']} deliveries taken, {counts['runs']} runs", counts)


def _otherwise(told: Told) -> Iterator[Offence]:
    for delivery, answers in told.items():
        first = answers[0][1]
        for op, firings in answers[1:]:
            if firings != first:
                detail = f"{delivery} was told {first}, then {firings}"
                yield Offence("told-otherwise", detail, op.ended_s, JOB, op.id)


def _made(told: Told, made: Mapping[str, Sequence[int]], sent: set[str]) -> Iterator[Offence]:
    for delivery, runs in made.items():
        if delivery not in sent:
            yield Offence("never-sent", f"run {runs[0]} is of {delivery}", None, JOB, run=runs[0])
        if len(runs) > 1:
            yield Offence("delivered-twice", f"{delivery} made the runs {runs}", None, JOB, run=runs[-1])
    for delivery, answers in told.items():
        op, firings = answers[0]
        for job, run, outcome, _ in firings:
            runs = made.get(delivery, ()) if job == JOB else ()
            if outcome is None and run not in runs:
                detail = f"{delivery} was told run {run}, it has {list(runs) or 'none'}"
                yield Offence("lost-delivery", detail, op.ended_s, JOB, op.id, run=run)
            if outcome is not None and runs:
                detail = f"{delivery} was told {outcome}, and has the runs {list(runs)}"
                yield Offence("ran-all-the-same", detail, op.ended_s, JOB, op.id, run=runs[0])
