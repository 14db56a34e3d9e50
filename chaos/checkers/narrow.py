"""What a namespace says of its runs and its job holds, whoever leads.

Rules:
1. By the instants of the cluster's own log, which never go back: of its runs no more are active at once than
   may, where each is from its start to its end; and no minute has more starts than may.
2. A run of a person has the plan date of the instant at which it was created.
3. What was acknowledged is a revision, what was refused is none; in the end, once nobody has to follow any
   more, its job has the defaults of the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chaos.case import Case, milliseconds
from chaos.checkers import Finding, Offence, finding, runs_of
from chaos.narrow import ACTIVE, JOB, MINUTE_MS, PLAN_OFFSET_MS, STARTS

NAME = "narrow"


def check(case: Case) -> Finding:
    said = [op for op in case.operations if op.op == "narrow"]
    if not said:
        return Finding(NAME, "pass", "this load has no such namespace")
    told: dict[str, Any] | None = case.final.get("narrow")
    runs = runs_of(case, JOB)
    if not told or not runs:
        return Finding(NAME, "invalid", "the namespace or its runs were not read")
    offences = [*_active(case, runs), *_starts(case, runs), *_dates(case, runs), *_follows(case, told)]
    counts = {"runs": len(runs), "waited": sum(map(_waited, runs)), "revisions": len(told["revisions"])}
    return finding(NAME, offences, ", ".join(f"{count} {name}" for name, count in counts.items()), counts)


def _waited(run: dict[str, Any]) -> bool:
    started = run["started"]
    return started is not None and milliseconds(started) - milliseconds(run["created"]) > 1_000


def _active(case: Case, runs: list[dict[str, Any]]) -> Iterator[Offence]:
    moves: list[tuple[int, int, int]] = []
    for run in runs:
        if run["started"] is not None:
            moves.append((milliseconds(run["started"]), 1, run["id"]))
            if run["finished"] is not None:
                moves.append((milliseconds(run["finished"]), -1, run["id"]))
    active = 0
    for at_ms, change, run_id in sorted(moves):  # an end comes before a start of the same instant
        active += change
        if active > ACTIVE and change > 0:
            yield _of(case, "over-active", f"{active} runs are active where {ACTIVE} may be", at_ms, run_id)


def _starts(case: Case, runs: list[dict[str, Any]]) -> Iterator[Offence]:
    began = sorted((milliseconds(run["started"]), run["id"]) for run in runs if run["started"] is not None)
    for (first_ms, _), (last_ms, run_id) in zip(began, began[STARTS:], strict=False):
        if last_ms - first_ms < MINUTE_MS:
            said = f"{STARTS + 1} runs started within {last_ms - first_ms} ms"
            yield _of(case, "over-starts", said, last_ms, run_id)


def _dates(case: Case, runs: list[dict[str, Any]]) -> Iterator[Offence]:
    for run in runs:
        created_ms = milliseconds(run["created"])
        wanted = datetime.fromtimestamp((created_ms + PLAN_OFFSET_MS) / 1000, UTC).date().isoformat()
        if run["plan_date"] != wanted:
            said = f"has the plan date {run['plan_date']}, and was created on {wanted}"
            yield _of(case, "wrong-date", said, created_ms, run["id"])


def _follows(case: Case, told: dict[str, Any]) -> Iterator[Offence]:
    there = {each["generation"] for each in told["revisions"]}
    for op in case.operations:
        if op.op == "narrow" and op.outcome in ("ok", "fail"):
            generation = op.arguments["generation"]
            if op.outcome == "ok" and generation not in there:
                said = f"generation {generation} was acknowledged and is not there"
                yield Offence("lost-word", said, op.ended_s, operation=op.id)
            elif op.outcome == "fail" and generation in there:
                said = f"generation {generation} was refused and is there"
                yield Offence("refused-word", said, op.ended_s, operation=op.id)
    newest = max(told["revisions"], key=lambda each: int(each["revision"]))["generation"]
    if told["following"]:
        yield Offence("not-followed", "its job has yet to follow when all is over", job=JOB)
    elif told["job"] != newest:
        yield Offence("not-followed", f"its job has generation {told['job']}, given is {newest}", job=JOB)


def _of(case: Case, kind: str, said: str, at_ms: int, run: int) -> Offence:
    return Offence(kind, f"run {run}: {said}", case.at_s(at_ms), JOB, run=run)
