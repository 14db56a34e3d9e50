"""Changes of jobs are linearizable, job by job: each write under If-Match, each read seems to happen at once.

Rules:
1. A job is a register: absent, or (revision, uid), where each write carries a uid of its own. Revisions grow,
   over deletions too.
2. A write whose end nobody saw is resolved by the final list of revisions: what is not there never happened;
   what is there happened, at a time unknown, with that revision. That keeps the search small.
3. A refusal is a read: 412, 409 and 404 must be true of the state at some instant of the call.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from chaos.case import Case
from chaos.checkers import Finding, Offence, Verdict, finding
from chaos.checkers.search import STEPS_MAX, Span, linearizable
from chaos.history import Operation

NAME = "linear"
OPS = frozenset({"put", "delete", "get"})
DRILL = "drill"


class Register(NamedTuple):
    revision: int  #: the last one, also of a deleted job
    uid: str | None  #: None: there is no such job


class Call(NamedTuple):
    op: str
    uid: str | None  #: what is written
    if_match: int | None  #: 0: only if there is none (If-None-Match: *)
    status: int
    revision: int | None  #: as the reply or the final list says
    read: str | None
    operation: int


def check(case: Case, *, steps_max: int = STEPS_MAX) -> Finding:
    calls = spans(case)
    offences: list[Offence] = []
    unknown: list[str] = []
    for job, found in sorted(calls.items()):
        told = linearizable(found, Register(_before(case, job), None), step, steps_max=steps_max)
        if told.linearizable is None:
            unknown.append(job)
        elif not told.linearizable:
            stuck = found[told.stuck] if told.stuck is not None else found[-1]
            offences.append(
                Offence(
                    "not-linearizable",
                    f"{job}: {stuck.call} fits nowhere behind {len(told.order)} others",
                    stuck.called_s,
                    job,
                    stuck.call.operation,
                )
            )
    counts = {"jobs": len(calls), "operations": sum(len(found) for found in calls.values())}
    summary = f"{counts['operations']} operations on {counts['jobs']} jobs"
    result = finding(NAME, offences, summary, counts)
    if unknown and not offences:
        verdict: Verdict = "unknown"
        return Finding(
            NAME, verdict, f"not decided within {steps_max} steps: {', '.join(unknown)}", (), counts
        )
    return result


def _before(case: Case, job: str) -> int:
    """The revision that was there before this run: a staging cluster remembers those of earlier drills."""
    if case.plan.get("profile") != DRILL:
        return 0
    asked = {op.arguments["uid"] for op in case.operations if op.op == "put" and "uid" in op.arguments}
    written = _written(case.final.get("revisions", {}).get(job, []))
    return min((revision for uid, revision in written.items() if uid in asked), default=1) - 1


def spans(case: Case) -> dict[str, list[Span[Call]]]:
    """The calls on each job that say something."""
    revisions = {job: _written(told) for job, told in case.final.get("revisions", {}).items()}
    found: dict[str, list[Span[Call]]] = defaultdict(list)
    for op in case.operations:
        if op.op in OPS and (span := _span(op, revisions.get(op.arguments["job"], {}))) is not None:
            found[op.arguments["job"]].append(span)
    return found


def _written(revisions: list[Mapping[str, Any]]) -> dict[str, int]:
    """uid → revision, of everything that was ever committed."""
    found = {}
    for revision in revisions:
        definition = revision.get("definition") or {}
        uid = (definition.get("labels") or {}).get("uid")
        if uid:
            found[uid] = int(revision["revision"])
    return found


def _span(op: Operation, written: Mapping[str, int]) -> Span[Call] | None:
    arguments, result = op.arguments, op.result
    uid, if_match = arguments.get("uid"), arguments.get("if_match")
    status, revision = int(result.get("status", 0)), result.get("revision")
    ended_s = op.ended_s if op.ended_s is not None else math.inf
    if op.outcome == "info":
        if op.op == "get" or (op.op == "put" and uid not in written):
            return None
        status, ended_s = (200 if op.op == "put" else 204), math.inf
        revision = written.get(uid) if uid else None
        if op.op == "delete":
            status = 0  # whether it happened is not told by a uid: the search may place it or not
    elif op.outcome == "fail" and status not in (404, 409, 412):
        return None  # it never reached the cluster, or was refused for another reason
    call = Call(op.op, uid, if_match, status, revision, result.get("uid"), op.id)
    return Span(op.began_s, ended_s, call)


def step(state: Register, call: Call) -> Register | None:
    """The register after this call, or None where its result cannot be."""
    there = state.uid is not None
    matches = call.if_match is None or (call.if_match == state.revision if there else call.if_match == 0)
    if call.op == "get":
        if call.status == 404:
            return None if there else state
        return state if (call.revision, call.read) == (state.revision, state.uid) else None
    if call.op == "put":
        if call.status in (200, 201):
            after = Register(state.revision + 1, call.uid)
            return after if matches and call.revision in (None, after.revision) else None
        return None if matches else state  # 409, 412 or 404: it did not match
    if call.status in (0, 204):
        return Register(state.revision + 1, None) if there and matches else None
    if call.status == 404:
        return None if there else state
    return None if matches and there else state
