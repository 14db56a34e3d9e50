"""Tasks whose instant has come: the pause before their next try is over, or their work in the state.

What a restore has still to give up is not woken: the tasks that follow would count as of the time after it.
"""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import Command, Wake


def plan(view: View) -> list[Command]:
    after = view.hold.queue_through
    found = task_rows.past_wake(view.store, view.now_ms, view.limits.each_kind, after)
    return [Wake(view.epoch, task, wake_ms) for task, wake_ms in found]


def wake(outlook: Outlook) -> int | None:
    return None if outlook.hold.restore is not None else task_rows.next_wake_ms(outlook.store)
