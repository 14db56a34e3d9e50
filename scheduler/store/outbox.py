"""The outbox: what is to leave the cluster, and what could not. A row goes once it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store

WAITING, GIVEN_UP = "waiting", "given_up"


class Effect(NamedTuple):
    id: int
    kind: str
    target: str
    about: str
    namespace: str
    name: str
    run: int
    payload: bytes
    state: str
    created_ms: int
    attempts: int
    next_ms: int
    until_ms: int
    reason: str


_COLUMNS = ", ".join(Effect._fields)
_INSERT = f"INSERT INTO outbox ({_COLUMNS}) VALUES ({', '.join('?' * len(Effect._fields))})"


def get(store: Store, effect: int) -> Effect | None:
    row = store.row(f"SELECT {_COLUMNS} FROM outbox WHERE id = ?", (effect,))
    return None if row is None else Effect._make(row)


def insert(store: Store, effect: Effect) -> None:
    store.write(_INSERT, effect)


def delete(store: Store, effect: int) -> None:
    store.write("DELETE FROM outbox WHERE id = ?", (effect,))


def wait(store: Store, effect: int, *, attempts: int, next_ms: int, until_ms: int, reason: str) -> None:
    store.write(
        "UPDATE outbox SET state = 'waiting', attempts = ?, next_ms = ?, until_ms = ?, reason = ?"
        " WHERE id = ?",
        (attempts, next_ms, until_ms, reason, effect),
    )


def give_up(store: Store, effect: int, *, attempts: int, until_ms: int, reason: str) -> None:
    store.write(
        "UPDATE outbox SET state = 'given_up', attempts = ?, until_ms = ?, reason = ? WHERE id = ?",
        (attempts, until_ms, reason, effect),
    )


def waiting_for(store: Store, target: str) -> int:
    """How many wait to be sent there."""
    count: int = store.value("SELECT count(*) FROM outbox WHERE target = ? AND state = 'waiting'", (target,))
    return count


def given_up(store: Store) -> int:
    """How many were given up and are still kept: bounded by the machine."""
    count: int = store.value("SELECT count(*) FROM outbox WHERE state = 'given_up'")
    return count


def drop_given_up(store: Store, limit: int, before_ms: int | None = None) -> int:
    """Of those that were given up the ones with the least time left; `before_ms`: only if it is over by
    then."""
    until, values = ("", ()) if before_ms is None else (" AND until_ms < ?", (before_ms,))
    return store.write(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'given_up'"
        f"{until} ORDER BY until_ms, id LIMIT ?)",
        (*values, limit),
    )


def first_end_ms(store: Store) -> int | None:
    """When the first of those that were given up is kept no longer."""
    first: int | None = store.value("SELECT min(until_ms) FROM outbox WHERE state = 'given_up'")
    return first


# -- of whoever sends -------------------------------------------------------------------------------


def due(store: Store, now_ms: int, limit: int, *, except_for: Sequence[str] = ()) -> list[Effect]:
    """What is to be sent now, to other targets than these; what waits longest first."""
    marks = ", ".join("?" * len(except_for))
    rows = store.rows(
        f"SELECT {_COLUMNS} FROM outbox WHERE state = 'waiting' AND next_ms <= ?"
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


# -- of whoever looks at it -------------------------------------------------------------------------


def page(store: Store, *, after: int, limit: int, state: str | None, namespace: str | None) -> list[Effect]:
    """The oldest first, from behind the id `after`."""
    filters = {"state": state, "namespace": namespace}
    wanted = {column: value for column, value in filters.items() if value is not None}
    where = "".join(f" AND {column} = ?" for column in wanted)
    rows = store.rows(
        f"SELECT {_COLUMNS} FROM outbox WHERE id > ?{where} ORDER BY id LIMIT ?",
        (after, *wanted.values(), limit),
    )
    return [Effect._make(row) for row in rows]
