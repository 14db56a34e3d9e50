"""Numbered proposals of fronts: each (front, seq) is applied once, and its outcomes remembered for a
while.
"""

from __future__ import annotations

from scheduler.store.connection import Store


def lowest(store: Store, front: str) -> int | None:
    """The lowest number that the front still waits for; None: a front that is not known."""
    low: int | None = store.value("SELECT lowest FROM fronts WHERE uid = ?", (front,))
    return low


def advance(store: Store, front: str, low: int, seen_ms: int) -> None:
    """Outcomes below `low` are waited for no more."""
    store.write(
        "INSERT INTO fronts (uid, lowest, seen_ms) VALUES (?, ?, ?)"
        " ON CONFLICT (uid) DO UPDATE SET lowest = excluded.lowest, seen_ms = excluded.seen_ms",
        (front, low, seen_ms),
    )
    store.write("DELETE FROM frames WHERE front = ? AND seq < ?", (front, low))


def outcomes(store: Store, front: str, seq: int) -> bytes | None:
    encoded: bytes | None = store.value(
        "SELECT outcomes FROM frames WHERE front = ? AND seq = ?", (front, seq)
    )
    return encoded


def remember(store: Store, front: str, seq: int, encoded: bytes) -> None:
    store.write("INSERT INTO frames (front, seq, outcomes) VALUES (?, ?, ?)", (front, seq, encoded))


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
