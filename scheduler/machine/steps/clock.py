"""A run's timeout stands still while only work in the state remains, and while a person keeps the run back.

The former is so where no task of it waits for an agent or a retry, is on one, or awaits its completion; only
of runs that have a timeout and such work is this counted. `runs.stop_ms` is empty while it stands still."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules.graphs import Graph
from scheduler.store.tables import clocks
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.clocks import Clock
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.lifecycle import KEPT_BACK


def moves(graph: Graph, run: Run, task: Task) -> bool:
    """Whether it waits for an agent or a retry, or is on one: of a group that goes on, its tasks do, and of
    what is divided its members."""
    if task.state != "active":
        return task.state in ("queued", "retry_wait")
    compiled = graph.of(run, task)
    return compiled.waits_for_run or task.is_awaited or (task.wake_ms is None and not graph.is_box(run, task))


def count(ctx: Context, run: Run, graph: Graph, more: int) -> None:
    """So many more tasks move than before. Also asked, with 0, when the run has begun."""
    if graph.stands_still:
        before = clocks.get(ctx.store, run.id) or Clock(0, None)
        _set(ctx, run, before._replace(moving=before.moving + more))


def turn(ctx: Context, run: Run, graph: Graph) -> None:
    """The run was just kept back, or goes on."""
    if graph.job.timeout_ms is None:
        return
    clock = _set(ctx, run, clocks.get(ctx.store, run.id) or Clock(int(not graph.stands_still), None))
    if clock.left_ms is None and not graph.stands_still:
        clocks.drop(ctx.store, run.id)


def _set(ctx: Context, run: Run, clock: Clock) -> Clock:
    row = run_rows.get(ctx.store, run.id)  # the caller's may be older than what it did to the run
    assert row is not None
    goes = clock.moving > 0 and row.state not in KEPT_BACK
    if not goes and row.stop_ms is not None:
        clock = clock._replace(left_ms=max(0, row.stop_ms - ctx.stamp_ms))
        run_rows.set_stop(ctx.store, run.id, None)
    elif goes and clock.left_ms is not None:
        run_rows.set_stop(ctx.store, run.id, ctx.stamp_ms + clock.left_ms)
        clock = clock._replace(left_ms=None)
    clocks.put(ctx.store, run.id, clock)
    return clock
