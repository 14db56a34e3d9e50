"""A run ended, or ticks were skipped or missed: who is told of it.

Rules of this file:

1. A job says whom it tells of what (`notify`). An effect is written with the end itself: whoever sees the
   run ended sees the effect, on every node, and a run whose end was never committed told nobody.
2. `failed`: it failed, timed out or was lost. `recovered`: it succeeded, and the job's last one that ended
   had not. `warned`: it succeeded with a warning. A run tells whom its own revision names.
3. `missed`, `skipped`: once for each entry of the ledger, however many ticks that is of. A tick is of no
   revision: it tells whom the job names then, and nobody where the job is no more.
4. What does not hold of what is expected (`steps.unmet`) is told by the revision of its run, of a job by the
   newest.
5. What is told is fixed here, so each try says the same."""

from __future__ import annotations

import json
from typing import Any

from scheduler.machine.context import Context
from scheduler.machine.rules import verdicts
from scheduler.machine.steps import outbox
from scheduler.model.compiled import CompiledNotice
from scheduler.model.expected import LATE_END, LATE_START
from scheduler.model.notify import ABOUT, FAILED, LATE, MISSED, RECOVERED, SKIPPED, WARNED
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.unmet import Unmet

REASON_LETTERS_MAX = 500

Told = list[tuple[str, CompiledNotice]]
"""What happened, and whom that is told."""


def of_end(ctx: Context, run: Run, state: str, *, warned: bool) -> Told:
    """Whom the end of this run is told: to be asked before it is counted for its job."""
    notices = ctx.graphs.outline(run.job, run.namespace, run.name, run.revision).notify
    if not notices:
        return []
    abouts: list[str] = []
    if state in verdicts.RUN_FAILURES:
        abouts.append(FAILED)
    elif state == "succeeded":
        if job_rows.is_failing(ctx.store, run.job, verdicts.RUN_FAILURES):
            abouts.append(RECOVERED)
        if warned:
            abouts.append(WARNED)
    return [(about, notice) for about in abouts for notice in notices if about in notice.on]


def tell(ctx: Context, run: Run, told: Told, *, state: str, exit_code: int | None, reason: str) -> None:
    for about, notice in told:
        facts = {
            "revision": run.revision, "cause": run.cause, "tick_ms": run.tick_ms, "due_ms": run.due_ms,
            "state": state, "exit_code": exit_code, "reason": reason[:REASON_LETTERS_MAX],
            "created_ms": run.created_ms, "started_ms": run.started_ms, "finished_ms": ctx.stamp_ms,
        }  # fmt: skip
        _put(ctx, notice, about, run.namespace, run.name, run.id, facts)


def tell_of_ticks(
    ctx: Context, *, job: int, namespace: str, name: str, outcome: str, reason: str, run: int, cause: str,
    first_ms: int, last_ms: int, count: int,
) -> None:  # fmt: skip
    """Of one entry of the ledger. `run`: the one in the way, or that was to be; 0: none."""
    revision = job_rows.revision_of(ctx.store, job) if outcome in (MISSED, SKIPPED) else None
    if revision is None:
        return
    for notice in ctx.graphs.outline(job, namespace, name, revision).notify:
        if outcome in notice.on:
            facts = {
                "revision": revision, "cause": cause, "tick_ms": first_ms, "last_ms": last_ms,
                "count": count, "reason": reason, "decided_ms": ctx.stamp_ms,
            }  # fmt: skip
            _put(ctx, notice, outcome, namespace, name, run, facts)


def tell_unmet(ctx: Context, row: Unmet, revision: int) -> None:
    about = LATE if row.what in (LATE_START, LATE_END) else row.what
    for notice in ctx.graphs.outline(row.job, row.namespace, row.name, revision).notify:
        if about in notice.on:
            facts = {
                "revision": revision, "unmet": row.id, "what": row.what, "limit_ms": row.limit_ms,
                "at_ms": row.at_ms, "found": row.found, "wanted": row.wanted,
            }  # fmt: skip
            _put(ctx, notice, about, row.namespace, row.name, row.run, facts)


def _put(
    ctx: Context, notice: CompiledNotice, about: str, namespace: str, name: str, run: int,
    facts: dict[str, Any],
) -> None:  # fmt: skip
    whose = {
        "about": about, "of": ABOUT[about], "namespace": namespace, "job": name,
        "owner": notice.owner or None, "criticality": notice.criticality, "run": run or None,
    }  # fmt: skip
    payload = json.dumps({**whose, **facts}, sort_keys=True, separators=(",", ":")).encode()
    outbox.put(
        ctx, kind=notice.kind, target=notice.target, about=about, namespace=namespace, name=name, run=run,
        payload=payload,
    )  # fmt: skip
