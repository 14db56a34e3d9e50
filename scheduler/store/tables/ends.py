"""Ends of runs that triggers wait for (`after`), in order. They are numbered without a gap and stay: verify
recomputes from them what each of those triggers fired.

An end is open until each trigger that heard of it was looked at, in the order of their ids; `looked` is the
last one that was. The oldest open end is worked on, so each trigger sees all ends in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table, always


class End(NamedTuple):
    id: int
    parent: str  #: the job, as namespace/name
    run: int
    state: str
    exit_code: int | None
    warned: int
    at_ms: int
    plan_day: int
    missed: str  #: why it fires nothing; empty: it may
    verdict: int  #: 1: of a person, over a run that had ended before
    looked: int
    open: int


COLUMNS = ", ".join(End._fields)
TABLE = Table("ends", End)
_NEWEST = "SELECT max(id) FROM ends"
_OLDEST_OPEN = "SELECT min(id) FROM ends INDEXED BY ends_open WHERE open = 1"
_NEWEST_OPEN = "SELECT max(id) FROM ends INDEXED BY ends_open WHERE open = 1"
_FIRST_OPEN = f"SELECT {COLUMNS} FROM ends INDEXED BY ends_open WHERE open = 1 ORDER BY id LIMIT ?"


def note(
    store: Store, *, parent: str, run: int, state: str, exit_code: int | None, warned: int, at_ms: int,
    plan_day: int, missed: str, verdict: int = 0,
) -> None:
    end = End(last(store) + 1, parent, run, state, exit_code, warned, at_ms, plan_day, missed, verdict, 0, 1)
    oldest = _noted(store, _OLDEST_OPEN)
    store.kept.insert(TABLE, end)
    store.kept.renote("ends", _NEWEST, (), end.id)
    store.kept.renote("ends", _NEWEST_OPEN, (), end.id)
    if oldest is None:
        store.kept.renote("ends", _OLDEST_OPEN, (), end.id)


def last(store: Store) -> int:
    """The number of the newest; 0: there was none."""
    return _noted(store, _NEWEST) or 0


def _noted(store: Store, query: str) -> int | None:
    """Asked at each end of a run that something waits for, so remembered."""
    found: int | None = store.kept.note("ends", query, (), keeps=always)
    return found


def of_ids(store: Store, ids: Sequence[int]) -> list[End]:
    marks = ", ".join("?" * len(ids))
    rows = store.rows(f"SELECT {COLUMNS} FROM ends WHERE id IN ({marks}) ORDER BY id", ids)
    return [End._make(row) for row in rows]


def first_open(store: Store) -> End | None:
    oldest = _noted(store, _OLDEST_OPEN)
    return None if oldest is None else store.kept.get(TABLE, oldest)


def open_ones(store: Store, limit: int) -> list[End]:
    """The oldest first."""
    return [End._make(row) for row in store.rows(_FIRST_OPEN, (limit,))]


def seen_by(store: Store, trigger: int) -> int:
    """The last end that this trigger was looked at for, if it heard of it."""
    end = first_open(store)
    if end is None:
        return last(store)
    return end.id if end.looked >= trigger else end.id - 1


def look(store: Store, end: int, trigger: int) -> None:
    store.kept.update(TABLE, end, (trigger, end), looked=trigger)


def close(store: Store, end: int) -> None:
    is_oldest, is_newest = (_noted(store, query) == end for query in (_OLDEST_OPEN, _NEWEST_OPEN))
    store.kept.update(TABLE, end, (end,), open=0)
    for query, was_it in ((_OLDEST_OPEN, is_oldest), (_NEWEST_OPEN, is_newest)):
        if is_oldest and is_newest:  # the only one
            store.kept.renote("ends", query, (), None)
        elif was_it:
            store.kept.unnote("ends", query, ())
