"""Tasks that wait in a circle of runs, which nobody but us would break (`machine.rules.deadlocks`).

A circle that is closed stays closed, so nothing is lost by looking now and then: once a second while tasks of
runs that others wait for are kept from a resource, at so many of them in turn."""

from __future__ import annotations

from scheduler.machine.rules import deadlocks, selectors
from scheduler.plan.view import Outlook, View
from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import BreakDeadlock

EACH_MS = 1_000
LOOKED_MAX = 10  #: queues
OF_EACH = 1  #: who is behind the first has what the first waits for taken from him too


def plan(view: View) -> list[BreakDeadlock]:
    cache = view.cache
    if not cache.kept_inside:
        cache.circles_ms = None
        return []
    if cache.circles_ms is None:
        cache.circles_ms = view.now_ms + EACH_MS  # most get what they wait for
    if view.now_ms < cache.circles_ms:
        return []
    cache.circles_ms = view.now_ms + EACH_MS
    commands = []
    waiting = sorted([each for each in cache.kept_inside if _is_waited_for(view, each)])
    if not waiting:
        return []
    turn = view.now_ms // EACH_MS * LOOKED_MAX % len(waiting)
    for selector in [*waiting, *waiting][turn : turn + min(LOOKED_MAX, len(waiting))]:
        for queued in task_rows.queued(view.store, selector, OF_EACH, view.hold.queue_through):
            task = task_rows.get(view.store, queued.id)
            if task is not None and deadlocks.find(view.store, task, view.now_ms):
                commands.append(BreakDeadlock(view.epoch, task.id))
    return commands[:1]  # the others may go on then


def _is_waited_for(view: View, selector: str) -> bool:
    """Of thousands of runs whose groups take locks few are."""
    return deadlocks.is_waited_for(view.store, selectors.parse(selector).run)


def wake(outlook: Outlook) -> int | None:
    return outlook.cache.circles_ms if outlook.cache.kept_inside else None
