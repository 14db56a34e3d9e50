"""Numbered proposals of fronts: each (front, seq) is applied once, and its outcomes remembered for a
while.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table, always


class Front(NamedTuple):
    uid: str
    lowest: int
    seen_ms: int


TABLE = Table("fronts", Front)
_NEWEST = "SELECT max(seq) FROM frames WHERE front = ?"


def lowest(store: Store, front: str) -> int | None:
    """The lowest number that the front still waits for; None: a front that is not known."""
    row = store.kept.get(TABLE, front)
    return None if row is None else row.lowest


def advance(store: Store, front: str, low: int, seen_ms: int) -> None:
    """Outcomes below `low` are waited for no more."""
    row = Front(front, low, seen_ms)
    if store.kept.get(TABLE, front) is None:
        store.kept.insert(TABLE, row)
    else:
        store.kept.update(TABLE, front, row, lowest=low, seen_ms=seen_ms)
    # The newest stays: no front waits for less than what it sends.
    store.kept.later("frames", "DELETE FROM frames WHERE front = ? AND seq < ?", (front, low), instead=front)


def outcomes(store: Store, front: str, seq: int) -> bytes | None:
    newest: int | None = store.kept.note("frames", _NEWEST, (front,), keeps=always)
    if newest is None or seq > newest:
        return None
    encoded: bytes | None = store.value(
        "SELECT outcomes FROM frames WHERE front = ? AND seq = ?", (front, seq)
    )
    return encoded


def remember(store: Store, front: str, seq: int, encoded: bytes) -> None:
    store.kept.later(
        "frames", "INSERT INTO frames (front, seq, outcomes) VALUES (?, ?, ?)", (front, seq, encoded)
    )
    newest = store.kept.note("frames", _NEWEST, (front,), keeps=always)
    if newest is None or seq > newest:
        store.kept.renote("frames", _NEWEST, (front,), seq)


def sweep(store: Store, before_ms: int, limit: int) -> list[str]:
    """Drop fronts that were last seen before `before_ms`; returns them."""
    rows = store.rows(
        "SELECT uid FROM fronts WHERE seen_ms < ? ORDER BY seen_ms, uid LIMIT ?", (before_ms, limit)
    )
    for (uid,) in rows:
        store.write("DELETE FROM frames WHERE front = ?", (uid,))
        store.write("DELETE FROM fronts WHERE uid = ?", (uid,))
    return [row[0] for row in rows]


def oldest_seen_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(seen_ms) FROM fronts")
    return first
