"""What a run asks of agents before it goes on (`requires`: check, exists): tasks of its own graph.

Rules of this file:

1. They come first in the graph, need nothing, and are queued while the run waits for what it requires
   (`gates.waiting`). Each is tried again until it succeeds; none begins the run, and none fails it.
2. As one ends the run is judged again (`machine.waits`).
3. When the run goes on those that have not ended end too: an agent that has one is asked to stop, and the
   run's end waits for that."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.steps import breaking, clock
from scheduler.store.tables import run_waits
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.words.lifecycle import TASK_ENDS, TaskEvent

NEEDLESS = "its run waits no longer"


def note_end(ctx: Context, run: Run) -> None:
    """One of them has ended."""
    wait = run_waits.get(ctx.store, run.id)
    if wait is not None:
        run_waits.put(ctx.store, wait._replace(at_ms=ctx.stamp_ms))


def end_all(ctx: Context, run: Run) -> Run:
    """The run waits no longer; returns it as it is then."""
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    if not graph.job.checks:
        return run
    ended = moved = 0
    for task in task_rows.of_ids(ctx.store, [run.first_task + place for place in range(graph.job.checks)]):
        if task.state in TASK_ENDS:
            continue
        moves = clock.moves(graph, run, task)
        if breaking.break_off(ctx, task, TaskEvent.SKIPPED, reason=NEEDLESS):
            ended, moved = ended + 1, moved + moves
    clock.count(ctx, run, graph, -moved)
    if not ended:
        return run
    left = run.open_tasks - ended
    run_rows.set_open_tasks(ctx.store, run.id, left)
    return run._replace(open_tasks=left)
