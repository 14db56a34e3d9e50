"""To which plan date of its namespace something belongs (`ticks.plan_days`)."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.store.tables import namespaces
from scheduler.ticks import plan_days


def of(ctx: Context, namespace: str, at_ms: int | None) -> int:
    """Of this instant; None: of now."""
    given = namespaces.plan_days_of(ctx.store, namespace)
    return plan_days.day_of(given, ctx.stamp_ms if at_ms is None else at_ms)
