"""Triggers that count from the ends of their job's runs fire (`steps.delaying`).

Rules of this file:

1. The compare-and-set on the instant makes each fire once; its cause holds what it was counted from.
2. In a restored state what was due before is missed(restored): nobody knows what the cluster before made of
   it.
3. What was due in an era that has ended fires as if it had not; of a job that is no more it is skipped.
"""

from __future__ import annotations

from scheduler.machine.context import Context, refused
from scheduler.machine.steps import arriving, delaying, restoring
from scheduler.store.tables import delays
from scheduler.store.tables import triggers as trigger_rows
from scheduler.words.commands import FireDelayed
from scheduler.words.outcomes import Code, Outcome


def fire_delayed(ctx: Context, command: FireDelayed) -> Outcome:
    row = delays.get(ctx.store, command.trigger)
    if row is None or row.due_ms != command.expected_due_ms or row.due_ms > ctx.stamp_ms:
        return refused(Code.STALE_DUE, f"trigger {command.trigger} is not due at {command.expected_due_ms}")
    trigger = trigger_rows.firing(ctx.store, row.trigger)
    assert trigger is not None, "a row is dropped with its trigger"
    cause = delaying.cause_of(ctx, row)
    if trigger.until_ms is not None:
        delaying.drop(ctx, row.trigger)
    missed = restoring.missed(ctx, row.due_ms)
    outcome = arriving.fire(ctx, cause, trigger, due_ms=row.due_ms, missed=missed, agent=command.agent)
    if trigger.until_ms is None and "outcome" in (outcome.value or {}):
        delaying.passed(ctx, row)
    return outcome
