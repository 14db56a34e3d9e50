"""Work in the state whose time is over: what it does then, and how it ends.

What it does happens here, in a command of its own, and never where it begins: there a run may be made, told
or admitted, of which each step reads rows that this would change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scheduler.machine.context import Context
from scheduler.machine.steps import closing, ends, stopping
from scheduler.model.work.kind import ENDS_RUN
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.lifecycle import TaskEvent

Work = dict[str, Any]
"""Its compiled form."""


def act(ctx: Context, run: Run, task: Task) -> None:
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    work = graph.job.tasks[task.id - run.first_task].work
    _ACTS[work.get("does", "")](ctx, run, task, work)


def _end(ctx: Context, run: Run, task: Task, work: Work) -> None:
    ends.finish(ctx, run, task, "succeeded", started_ms=task.started_ms)


def _end_run(ctx: Context, run: Run, task: Task, work: Work) -> None:
    """Those that need it hear nothing: they never start."""
    closing.end_task(ctx, task, TaskEvent.SUCCEEDED, reason="")
    left = run.open_tasks - 1
    run_rows.set_open_tasks(ctx.store, run.id, left)
    stopping.stop(ctx, run._replace(open_tasks=left), stopping=work["as"], reason=f"finished by {task.name}")


_ACTS: dict[str, Callable[[Context, Run, Task, Work], None]] = {"": _end, ENDS_RUN: _end_run}
