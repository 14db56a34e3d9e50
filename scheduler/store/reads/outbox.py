"""The outbox, of whoever sends and of whoever looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.tables.outbox import COLUMNS, Effect, given_up


def due(store: Store, now_ms: int, limit: int, *, except_for: Sequence[str] = ()) -> list[Effect]:
    """What is to be sent now, to other targets than these; what waits longest first."""
    marks = ", ".join("?" * len(except_for))
    rows = store.rows(
        f"SELECT {COLUMNS} FROM outbox WHERE state = 'waiting' AND next_ms <= ?"
        f" AND target NOT IN ({marks}) ORDER BY next_ms, id LIMIT ?",
        (now_ms, *except_for, limit),
    )
    return [Effect._make(row) for row in rows]


class Depth(NamedTuple):
    waiting: int
    given_up: int
    oldest_ms: int | None  #: when the oldest of those that wait was written; None: none waits


def depth(store: Store) -> Depth:
    waiting: int = store.value("SELECT outbox_waiting FROM state WHERE id = 1")
    # Ids go up with the time of writing.
    oldest = store.value(
        "SELECT created_ms FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE state = 'waiting')"
    )
    return Depth(waiting, given_up(store), oldest if waiting else None)


def page(store: Store, *, after: int, limit: int, state: str | None, namespace: str | None) -> list[Effect]:
    """The oldest first, from behind the id `after`."""
    filters = {"state": state, "namespace": namespace}
    wanted = {column: value for column, value in filters.items() if value is not None}
    where = "".join(f" AND {column} = ?" for column in wanted)
    rows = store.rows(
        f"SELECT {COLUMNS} FROM outbox WHERE id > ?{where} ORDER BY id LIMIT ?",
        (after, *wanted.values(), limit),
    )
    return [Effect._make(row) for row in rows]
