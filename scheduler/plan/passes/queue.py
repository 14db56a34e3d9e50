"""Queued tasks: each to an agent that has a place for it.

Rules of this file:

1. Tasks are placed over all queues in the order of rank, a queue being the tasks of one selector.
2. A plan looks at SELECTORS_MAX queues: where there are more, plans go round them, and those that had a place
   lately are looked at by every plan. So nobody's queues that no agent can serve keep a plan from others'.
3. Of a queue that takes locks as many are looked at as could have them, and the first of it, who keeps its
   place before later ones of other queues (`plan.locks`). While a restore holds anything up, none is.
"""

from __future__ import annotations

from scheduler.machine.rules import selectors
from scheduler.plan.locks import Locks
from scheduler.plan.lookahead import PlanCache
from scheduler.plan.view import Outlook, View
from scheduler.store.connection import Store
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.pauses import ALL
from scheduler.words.commands import Place

SELECTORS_MAX = 1_000
USEFUL_MAX = 1_000


def plan(view: View) -> list[Place]:
    store, cache, places, limit = view.store, view.cache, view.places, view.limits.commands // 2
    kept_back = view.pauses.kept_back(view.now_ms)
    cache.locks_open_ms = None
    cache.kept_inside.clear()
    if ALL in kept_back:
        return []
    locks = Locks(store, view.now_ms)
    candidates: list[tuple[int, int, str]] = []
    for selector in _queues(store, cache):
        free = places.free(selector, limit)
        if not free:
            continue  # nor is there a place for a firing tick
        cache.useful_queues.pop(selector, None)
        cache.useful_queues[selector] = None
        wanted = free
        if selectors.has_locks(selector):
            wanted = 0 if view.hold.queue_through else max(1, locks.fit(selector, wanted))
        # One more than fits tells whether the queue will be emptied.
        queued = task_rows.queued(store, selector, wanted + 1, view.hold.queue_through, kept_back)
        if len(queued) > wanted:
            places.leave_queued(selector)
        candidates.extend((task.rank_ms, task.id, selector) for task in queued[:wanted])
    while len(cache.useful_queues) > USEFUL_MAX:
        del cache.useful_queues[next(iter(cache.useful_queues))]
    candidates.sort()
    commands: list[Place] = []
    for _, task, selector in candidates:
        takes_locks = selectors.has_locks(selector)
        if takes_locks and not locks.may(selector):
            if selectors.parse(selector).run:
                cache.kept_inside.append(selector)
            continue
        agent = places.take(selector) if len(commands) < limit else 0
        if agent:
            commands.append(Place(view.epoch, task, agent))
            if takes_locks:
                locks.take(selector)
        else:
            places.leave_queued(selector)
    cache.locks_open_ms = locks.opens_ms
    return commands


def wake(outlook: Outlook) -> int | None:
    """When a resource has refilled that the last plan found empty. For a slot, an agent or what others give
    back nobody waits by time."""
    return outlook.cache.locks_open_ms


def _queues(store: Store, cache: PlanCache) -> list[str]:
    """The selectors that this plan looks at, each once: all, or the next ones of the round and the useful."""
    found = task_rows.queued_selectors(store, SELECTORS_MAX, cache.queue_cursor)
    if len(found) < SELECTORS_MAX and cache.queue_cursor:
        found += task_rows.queued_selectors(store, SELECTORS_MAX - len(found))
    cut = len(found) == SELECTORS_MAX
    cache.queue_cursor = found[-1] if cut else ""
    return list(dict.fromkeys([*found, *cache.useful_queues] if cut else found))
