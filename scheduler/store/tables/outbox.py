"""The outbox: what is to leave the cluster, and what could not. A row goes once it was sent."""

from __future__ import annotations

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


COLUMNS = ", ".join(Effect._fields)
_INSERT = f"INSERT INTO outbox ({COLUMNS}) VALUES ({', '.join('?' * len(Effect._fields))})"


def get(store: Store, effect: int) -> Effect | None:
    row = store.row(f"SELECT {COLUMNS} FROM outbox WHERE id = ?", (effect,))
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


# -- of whoever looks at it -------------------------------------------------------------------------
