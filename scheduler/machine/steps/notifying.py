"""A run ended: who is told of it.

Rules of this file:

1. A job says whom it tells of what (`notify`). An effect is written with the end itself: whoever sees the
   run ended sees the effect, on every node, and a run whose end was never committed told nobody.
2. `failed`: it failed, timed out or was lost. `recovered`: it succeeded, and the job's last one that ended
   had not.
3. What is told is fixed here, so each try says the same."""

from __future__ import annotations

import json

from scheduler.machine.context import Context
from scheduler.machine.rules import verdicts
from scheduler.machine.steps import outbox
from scheduler.model.compiled import CompiledNotice
from scheduler.model.notify import FAILED, RECOVERED
from scheduler.store import jobs as job_rows
from scheduler.store.runs import Run

REASON_LETTERS_MAX = 500

Told = list[tuple[str, CompiledNotice]]
"""What happened, and whom that is told."""


def of_end(ctx: Context, run: Run, state: str) -> Told:
    """Whom the end of this run is told: to be asked before it is counted for its job."""
    notices = ctx.graphs.outline(run.job, run.namespace, run.name, run.revision).notify
    if not notices:
        return []
    if state in verdicts.RUN_FAILURES:
        about = FAILED
    elif state == "succeeded" and job_rows.is_failing(ctx.store, run.job, verdicts.RUN_FAILURES):
        about = RECOVERED
    else:
        return []
    return [(about, notice) for notice in notices if about in notice.on]


def tell(ctx: Context, run: Run, told: Told, *, state: str, exit_code: int | None, reason: str) -> None:
    for about, notice in told:
        facts = {
            "about": about, "namespace": run.namespace, "job": run.name, "revision": run.revision,
            "run": run.id, "cause": run.cause, "tick_ms": run.tick_ms, "due_ms": run.due_ms, "state": state,
            "exit_code": exit_code, "reason": reason[:REASON_LETTERS_MAX], "created_ms": run.created_ms,
            "started_ms": run.started_ms, "finished_ms": ctx.stamp_ms,
        }  # fmt: skip
        payload = json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
        outbox.put(
            ctx, kind=notice.kind, target=notice.target, about=about, namespace=run.namespace, name=run.name,
            run=run.id, payload=payload,
        )  # fmt: skip
