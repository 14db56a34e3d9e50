"""The one ledger entry that a tick ends in."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.store.runs import Run
from scheduler.words import events as e
from scheduler.words.lifecycle import TICK, step


def decide(
    ctx: Context,
    *,
    job: int,
    namespace: str,
    name: str,
    trigger: int,
    first_ms: int,
    outcome: str,
    reason: str,
    run: int = 0,
    last_ms: int | None = None,
    count: int = 1,
    into_ms: int | None = None,
) -> None:
    """End the ticks from `first_ms` to `last_ms` (None: the one), `count` of them, all with one outcome."""
    step(TICK, "pending", outcome)
    last_ms = first_ms if last_ms is None else last_ms
    seq = ctx.write_ledger(
        job=job, trigger=trigger, first_ms=first_ms, last_ms=last_ms, count=count,
        outcome=outcome, reason=reason, run=run, into_ms=into_ms,
    )  # fmt: skip
    ctx.emit(
        e.TickDecided(seq, job, namespace, name, trigger, first_ms, last_ms, count, outcome, reason, run)
    )


def decide_tick_of(ctx: Context, run: Run, outcome: str, reason: str) -> None:
    """The entry of the tick that a run was made for."""
    assert run.tick_ms is not None
    decide(
        ctx, job=run.job, namespace=run.namespace, name=run.name, trigger=run.trigger,
        first_ms=run.tick_ms, outcome=outcome, reason=reason, run=run.id,
    )  # fmt: skip
