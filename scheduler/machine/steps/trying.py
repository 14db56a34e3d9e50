"""What waits for another try, or another round of a group, has waited long enough."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.steps import clock, grouping, queue, walking
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.lifecycle import TaskEvent


def again(ctx: Context, run: Run, task: Task) -> None:
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    if graph.of(run, task).happens == "group":
        walking.leave(ctx, run, [grouping.begin(ctx, run, graph, task)])
    else:
        clock.count(ctx, run, graph, int(task.state == "held"))
        queue.enqueue(ctx, run, task, TaskEvent.WAITED, attempts=task.attempts)
