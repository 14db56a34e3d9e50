"""What a run does finally, once all the rest of it has ended.

Rules of this file:

1. It begins when the last other task has ended, however: by itself, by a cancellation, a timeout, a `finish`.
   Not of a run that is stopped before it began, nor of a deleted job, of which nothing starts any more.
2. How the rest ended is decided then, and noted (`rests`); from then on the run stops for what is asked of it
   from now on alone. Its timeout is over: each of these tasks has its own."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import walks
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.rules.verdicts import RunEnds
from scheduler.machine.steps import admitting, walking
from scheduler.store.tables import clocks, rests, terminated
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tells as tell_rows
from scheduler.store.tables.rests import Rest
from scheduler.store.tables.runs import Run
from scheduler.words import events as e


def begin(ctx: Context, run: Run, graph: Graph, rest: RunEnds) -> None:
    """`rest`: how the rest ended."""
    rests.insert(ctx.store, Rest(run.id, *rest, ctx.stamp_ms))
    if graph.stands_still:
        clocks.drop(ctx.store, run.id)
    tell_rows.drop(ctx.store, run.id)
    run_rows.begin_finally(ctx.store, run.id)
    terminated.drop(ctx.store, run.id)
    ctx.emit(e.FinallyBegun(run.id, run.job, run.namespace, run.name, rest.state))
    now = run_rows.get(ctx.store, run.id)
    assert now is not None
    begun = bool(now.walk)
    walking.begin(
        ctx, now, walks.ADMIT, lambda ctx, run: admitting.go_on(ctx, run, begun=begun),
        after=run.last_task - run.kept_last,
    )  # fmt: skip


def end(ctx: Context, run: Run) -> RunEnds | None:
    """How the rest ended, of a run that ends now; None: it did nothing finally."""
    rest = rests.get(ctx.store, run.id)
    if rest is None:
        return None
    rests.drop(ctx.store, run.id)
    return RunEnds(rest.state, rest.exit_code, rest.reason)
