"""The outbox, of whoever sends and of whoever looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import among
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


def depth(store: Store, namespaces: Sequence[str] | None = None) -> Depth:
    if namespaces is not None:
        where, names = among("namespace", namespaces)
        rows = store.rows(
            f"SELECT state, count(*), min(created_ms) FROM outbox WHERE 1{where} GROUP BY state"
            " ORDER BY state",
            names,
        )
        counts = {state: count for state, count, _ in rows}
        oldest = {state: oldest_ms for state, _, oldest_ms in rows}
        return Depth(counts.get("waiting", 0), counts.get("given_up", 0), oldest.get("waiting"))
    waiting: int = store.value("SELECT outbox_waiting FROM state WHERE id = 1")
    # Ids go up with the time of writing.
    oldest = store.value(
        "SELECT created_ms FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE state = 'waiting')"
    )
    return Depth(waiting, given_up(store), oldest if waiting else None)


def page(
    store: Store, *, after: int, limit: int, state: str | None, namespaces: Sequence[str] | None
) -> list[Effect]:
    """The oldest first, from behind the id `after`."""
    of_state, states = among("state", None if state is None else (state,))
    of_namespaces, names = among("namespace", namespaces)
    rows = store.rows(
        f"SELECT {COLUMNS} FROM outbox WHERE id > ?{of_state}{of_namespaces} ORDER BY id LIMIT ?",
        (after, *states, *names, limit),
    )
    return [Effect._make(row) for row in rows]
