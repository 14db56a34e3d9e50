"""A task's place among those that wait for an agent.

Rules of this file:

1. Place in a queue is one number that never changes while a task waits: when it was queued, less what its
   priority is worth. So waiting ages it, nothing starves, and the queue is an index.
2. Runs that catch up, or fill what is past, queue after live ones.
3. What takes locks queues with those that ask for the same (`steps.locking`)."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import selectors
from scheduler.machine.steps import locking
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.lifecycle import TaskEvent

PRIORITY_WORTH_MS = 10_000
CATCHUP_LATER_MS = 600_000
_LATER = frozenset({Kind.CATCHUP, Kind.BACKFILL})


def rank(queued_ms: int, priority: int, cause: str) -> int:
    later_ms = CATCHUP_LATER_MS if cause in _LATER else 0
    return queued_ms - priority * PRIORITY_WORTH_MS + later_ms


def enqueue(ctx: Context, run: Run, task: Task, event: TaskEvent, *, attempts: int) -> None:
    """By this event the task waits for a place. `attempts`: made so far."""
    if selectors.has_locks(task.selector):
        # The caller's row may be older than where it is bound to.
        locking.set_right(ctx, run.id, task_rows.get(ctx.store, task.id) or task)
    task_rows.move(
        ctx.store, task, event, queued_ms=ctx.stamp_ms, rank_ms=rank(ctx.stamp_ms, run.priority, run.cause),
        attempts=attempts, wake_ms=None,
    )  # fmt: skip
    ctx.emit(e.TaskQueued(task.id, run.id, task.name, task.member, task.round))
