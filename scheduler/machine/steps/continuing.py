"""What commands left of the work on a large run is gone on with: by a Continue, and before what an agent
tells after a restore is judged by what is there."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import walks
from scheduler.machine.steps import admitting, closing, holding, starting, stopping, telling, walking
from scheduler.store.tables import tells as tell_rows
from scheduler.store.tables.runs import Run

TELLS_MAX = 300  #: looked at in one step


def go_on(ctx: Context, run: Run) -> None:
    """One part of what a run has left to do: tasks are made first, then a walk is done, then dependents are
    told. It ends at least one task's part, or marks the run as finished: a Continue never spins."""
    if run.unmade:
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        made = len(graph.job.tasks) - run.unmade
        count = ctx.take_rows(run.unmade, least=1)
        starting.make(ctx, run, graph, range(made, made + count))
        walking.note(ctx, run._replace(unmade=run.unmade - count))
        if count == run.unmade:
            walking.note_if_over(ctx, run.id)
    elif run.walk == walks.KEEP_BACK:
        holding.go_on(ctx, run, begun=True)
    elif run.walk == walks.ADMIT:
        admitting.go_on(ctx, run, begun=True)
    elif run.walk:
        stopping.go_on(ctx, run, begun=True)
    elif run.stopping:
        tell_rows.drop(ctx.store, run.id)
        walking.note(ctx, run)
    else:
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        stored = tell_rows.of_run(ctx.store, run.id, TELLS_MAX)
        skipped = telling.tell(ctx, run, graph, stored, stored=True)
        walking.note(ctx, run)
        closing.close_if_done(ctx, run, run.open_tasks - skipped)
