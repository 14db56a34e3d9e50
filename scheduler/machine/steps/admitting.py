"""A run that waited (overlap: queue_one, queue_all, cancel_running) goes on: its roots go on."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import gates, walks
from scheduler.machine.rules.gates import READY, RunView, TaskView
from scheduler.machine.steps import beginning, walking
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task


def admit_next(ctx: Context, job: int) -> None:
    """The oldest waiting run of the job goes on, if its gates are open."""
    waiting = run_rows.first_waiting(ctx.store, job)
    if waiting is None or gates.judge(gates.RUN, RunView(ctx.store, job, waiting)) is not READY:
        return
    run = run_rows.get(ctx.store, waiting)
    assert run is not None
    run_rows.admit(ctx.store, run.id)
    walking.begin(ctx, run._replace(waiting=0), walks.ADMIT, go_on)


def go_on(ctx: Context, run: Run, *, begun: bool = False) -> None:
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)

    def act(task: Task) -> str:
        compiled = graph.job.tasks[task.id - run.first_task]
        view = TaskView(run, compiled.rule, len(compiled.needs), task.open_needs, task.met_needs)
        if task.state == "blocked" and gates.judge(gates.TASK, view) is READY:
            beginning.go_on(ctx, run, graph, task, compiled)
        return ""

    walking.note_page(ctx, run, walking.page(ctx, run, act), begun=begun)
