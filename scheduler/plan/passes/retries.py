"""Tasks whose pause before the next try is over: they are queued again."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store import tasks as task_rows
from scheduler.words.commands import Command, Requeue


def plan(view: View) -> list[Command]:
    after = view.hold.runs_through
    found = task_rows.past_retry(view.store, view.now_ms, view.limits.each_kind, after)
    return [Requeue(view.epoch, task) for task in found]


def wake(outlook: Outlook) -> int | None:
    return None if outlook.hold.restore is not None else task_rows.next_retry_ms(outlook.store)
