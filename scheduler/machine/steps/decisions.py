"""The one ledger entry that a cause ends in, and whom the job tells of it."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.steps import notifying
from scheduler.model import required as required_names
from scheduler.store.tables import required
from scheduler.store.tables.runs import Run
from scheduler.words import events as e
from scheduler.words.causes import KINDS, TICKS, Cause
from scheduler.words.lifecycle import TICK, TickEvent

REQUIRED = frozenset({"required"})
_EVENTS = {event.value: event for event in TickEvent}


def decide(
    ctx: Context,
    cause: Cause,
    *,
    job: int,
    namespace: str,
    name: str,
    first_ms: int,
    outcome: str,
    reason: str,
    run: int = 0,
    last_ms: int | None = None,
    count: int = 1,
    into_ms: int | None = None,
) -> None:
    """End a cause, or the ticks from `first_ms` to `last_ms` (None: the one), `count` of them, all with one
    outcome.
    """
    outcome = TICK.after("pending", _EVENTS[outcome])
    kind = str(cause.kind)
    last_ms = first_ms if last_ms is None else last_ms
    seq = ctx.write_ledger(
        job=job, cause=cause, first_ms=first_ms, last_ms=last_ms, count=count,
        outcome=outcome, reason=reason, run=run, into_ms=into_ms,
    )  # fmt: skip
    ctx.emit(
        e.TickDecided(
            seq, job, namespace, name, cause.trigger, kind, cause.key, first_ms, last_ms, count,
            outcome, reason, run,
        )
    )  # fmt: skip
    if outcome != "ran" and cause.kind in TICKS and not ctx.store.kept.are_empty(REQUIRED):
        of_job = required_names.of_job(namespace, name)
        if required.is_required(ctx.store, of_job):
            required.change(ctx.store, of_job)  # who waits for all ticks of a date
    notifying.tell_of_ticks(
        ctx, job=job, namespace=namespace, name=name, outcome=outcome, reason=reason, run=run,
        cause=kind, first_ms=first_ms, last_ms=last_ms, count=count,
    )  # fmt: skip


def decide_cause_of(ctx: Context, run: Run, outcome: str, reason: str) -> None:
    """The entry of the cause that a run was made for."""
    decide(
        ctx, Cause(KINDS[run.cause], run.cause_key, run.trigger, run.tick_ms),
        job=run.job, namespace=run.namespace, name=run.name,
        first_ms=run.due_ms if run.tick_ms is None else run.tick_ms,
        outcome=outcome, reason=reason, run=run.id,
    )  # fmt: skip
