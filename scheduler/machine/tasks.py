"""Tasks: queued again."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, refused
from scheduler.machine.steps import ends, queue
from scheduler.store import runs as run_rows
from scheduler.store import tasks as task_rows
from scheduler.words.commands import Requeue
from scheduler.words.outcomes import Code, Outcome


def requeue(ctx: Context, command: Requeue) -> Outcome:
    task = task_rows.get(ctx.store, command.task)
    if task is None or task.state != "retry_wait":
        return refused(Code.ENDED, f"task {command.task} waits for no retry")
    run = run_rows.get(ctx.store, task.run)
    assert run is not None
    if not ends.never_starts(ctx, run, task):
        queue.enqueue(ctx, run, task, attempts=task.attempts)
    return OK
