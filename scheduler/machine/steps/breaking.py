"""A task is not to go on: it ends, or the agent that has it is asked to stop."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.steps import closing, placing
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import nested
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.lifecycle import AttemptEvent, TaskEvent


def break_off(ctx: Context, task: Task, event: TaskEvent, *, reason: str, asks: bool = True) -> str:
    """How it ended by this event, which is told to nobody; empty: it comes to its own end. `asks`: the agent
    that has it to stop."""
    if task.state == "active":
        child = nested.of_task(ctx.store, task.id) if task.wake_ms is not None else None
        if child is not None and child.waits:
            if asks and not child.asked:
                nested.ask(ctx.store, child.run, "cancelled")
                task_rows.set_wake(ctx.store, task.id, ctx.stamp_ms)
                ctx.emit(e.TaskDue(task.id, task.run, task.name, task.member, task.round))
            return ""  # it ends when the run that it waits for has
        if task.is_awaited and not asks:
            return ""  # its process has ended: whoever completes it still may
        attempt = attempt_rows.live_of_task(ctx.store, task.id)
        if attempt is not None and attempt.state != "assigned":
            if attempt.state != "cancelling" and asks:
                attempt_rows.move(ctx.store, attempt, AttemptEvent.ASKED_TO_STOP)
                ctx.emit(e.AttemptCancelling(attempt.id, task.run, attempt.agent))
            return ""
        if attempt is not None:
            placing.revoke(ctx, attempt, event.value)
    return closing.end_task(ctx, task, event, reason=reason)
