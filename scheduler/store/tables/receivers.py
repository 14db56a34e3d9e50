"""Receivers that fail: how often in a row, since when, and why. One that takes something has no row."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Receiver(NamedTuple):
    target: str
    kind: str
    channel: str
    namespace: str  #: of the notice that failed last
    name: str
    failures: int  #: tries in a row
    since_ms: int
    last_ms: int
    reason: str


COLUMNS = ", ".join(Receiver._fields)


def get(store: Store, target: str) -> Receiver | None:
    row = store.row(f"SELECT {COLUMNS} FROM receivers WHERE target = ?", (target,))
    return None if row is None else Receiver._make(row)


def put(store: Store, receiver: Receiver) -> None:
    marks = ", ".join("?" * len(receiver))
    store.write(f"INSERT OR REPLACE INTO receivers ({COLUMNS}) VALUES ({marks})", receiver)


def drop(store: Store, target: str) -> None:
    store.write("DELETE FROM receivers WHERE target = ?", (target,))


def oldest_ms(store: Store) -> int | None:
    """When something last failed at the one of which that is longest ago."""
    found: int | None = store.value("SELECT min(last_ms) FROM receivers")
    return found


def sweep(store: Store, before_ms: int, limit: int) -> int:
    return store.write(
        "DELETE FROM receivers WHERE target IN"
        " (SELECT target FROM receivers WHERE last_ms < ? ORDER BY last_ms, target LIMIT ?)",
        (before_ms, limit),
    )
