"""To which plan date of its namespace something belongs (`ticks.plan_days`), and dates that close by
themselves.

Rules of this file:

1. Date D closes `plan.auto_close` after the next one begins. What closed stays so, whatever is said of the
   namespace later: an edit opens nothing.
2. The instant is found by the plan dates in force when the date before it closed. Where a Retime moved it
   since, the command finds it anew: no date closes too early.
"""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.store.tables import closed_dates, namespaces
from scheduler.store.tables.closed_dates import Closing
from scheduler.ticks import plan_days
from scheduler.words import events as e


def of(ctx: Context, namespace: str, at_ms: int | None) -> int:
    """Of this instant; None: of now."""
    given = namespaces.plan_days_of(ctx.store, namespace)
    return plan_days.day_of(given, ctx.stamp_ms if at_ms is None else at_ms)


def declare_auto_close(ctx: Context, namespace: str, after_ms: int | None) -> None:
    """So a namespace is put. None: its dates close by people alone."""
    before = closed_dates.closing(ctx.store, namespace)
    if after_ms is not None:
        close_over(ctx, Closing(namespace, after_ms, 0 if before is None else before.before_day, None))
    elif before is not None:
        closed_dates.put_closing(ctx.store, before._replace(at_ms=None))


def close_over(ctx: Context, row: Closing) -> None:
    """Those that are over for long enough."""
    given = namespaces.plan_days_of(ctx.store, row.namespace)
    before_day = max(row.before_day, plan_days.day_of(given, ctx.stamp_ms - row.after_ms))
    at_ms = plan_days.span_of(given, before_day)[1] + row.after_ms
    closed_dates.put_closing(ctx.store, row._replace(before_day=before_day, at_ms=at_ms))
    ctx.state.closed_dates = 1
    if before_day > row.before_day:
        ctx.emit(e.PlanDatesClosed(row.namespace, before_day - 1))
