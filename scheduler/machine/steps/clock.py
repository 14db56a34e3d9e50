"""A run's timeout stands still while only work in the state remains.

That is so where no task of it waits for an agent or a retry, or is on one; `runs.stop_ms` is empty then. Only
of runs that have a timeout and such work is this counted."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules.graphs import Graph
from scheduler.store.tables import clocks
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.clocks import Clock
from scheduler.store.tables.runs import Run


def count(ctx: Context, run: Run, graph: Graph, more: int) -> None:
    """So many more tasks move than before. Also asked, with 0, when the run has begun."""
    if not graph.stands_still:
        return
    before = clocks.get(ctx.store, run.id) or Clock(0, None)
    moving, left_ms = before.moving + more, before.left_ms
    stop_ms = run_rows.stop_ms(ctx.store, run.id)
    if not moving and stop_ms is not None:
        left_ms = max(0, stop_ms - ctx.stamp_ms)
        run_rows.set_stop(ctx.store, run.id, None)
    elif moving and left_ms is not None:
        run_rows.set_stop(ctx.store, run.id, ctx.stamp_ms + left_ms)
        left_ms = None
    clocks.put(ctx.store, run.id, Clock(moving, left_ms))
