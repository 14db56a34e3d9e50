"""Who waits for a resource, in the order in which they get it. For people, and for who looks for circles:
what it reads is bounded."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice, takewhile

from scheduler.machine.rules import selectors
from scheduler.machine.rules.holdings import asked
from scheduler.store.connection import Store
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.tasks import QueuedTask

QUEUES_MAX = 1_000  #: of tasks that ask for the same, looked at
_PAGE = 20

Place = tuple[int, int]
"""Rank and task."""


def waiting(
    store: Store, resource: str, after: Place | None = None, *, most: int = QUEUES_MAX
) -> Iterator[QueuedTask]:
    """From behind this place on; read as it is asked for. `most`: queues that are looked at."""
    queues = [_queue(store, selector, after) for selector in _selectors(store, resource, most)]
    return heapq.merge(*queues, key=_place)


def before(store: Store, resource: str, place: Place, most: int) -> int:
    """How many wait for it before this one, counted up to `most`."""
    found = takewhile(lambda task: _place(task) < place, waiting(store, resource))
    return sum(1 for _ in islice(found, most))


def _place(task: QueuedTask) -> Place:
    return task.rank_ms, task.id


def _selectors(store: Store, resource: str, most: int) -> list[str]:
    found = task_rows.queued_selectors(store, most, before=selectors.AFTER_LOCKS)
    return [
        selector
        for selector in found
        if any(lock.resource == resource for lock in asked(store, selectors.parse(selector)).wants)
    ]


def _queue(store: Store, selector: str, after: Place | None) -> Iterator[QueuedTask]:
    page = task_rows.queued_behind(store, selector, _PAGE, after)
    while page:
        yield from page
        page = task_rows.queued_behind(store, selector, _PAGE, _place(page[-1])) if len(page) == _PAGE else []
