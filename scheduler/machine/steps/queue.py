"""A task's place among those that wait for an agent.

Rules of this file:

1. Its place is one number from when it was queued on (`rules.priority`).
2. What takes locks queues with those that ask for the same (`steps.locking`)."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import priority, selectors
from scheduler.machine.steps import locking
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.lifecycle import TaskEvent


def enqueue(ctx: Context, run: Run, task: Task, event: TaskEvent, *, attempts: int) -> None:
    """By this event the task waits for a place. `attempts`: made so far."""
    if selectors.has_locks(task.selector):
        # The caller's row may be older than where it is bound to.
        locking.set_right(ctx, run.id, task_rows.get(ctx.store, task.id) or task)
    task_rows.move(
        ctx.store, task, event, queued_ms=ctx.stamp_ms, attempts=attempts, wake_ms=None,
        rank_ms=priority.rank(ctx.stamp_ms, run.priority, run.cause),
    )  # fmt: skip
    ctx.emit(e.TaskQueued(task.id, run.id, task.name, task.member, task.round))
