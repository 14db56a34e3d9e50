"""Jobs of which so many runs are to succeed in each period: the one that is under way, or the next."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

_HERE = frozenset({"periods"})


class Period(NamedTuple):
    job: int
    wanted: int
    per_ms: int
    from_ms: int
    until_ms: int
    met: int = 0


COLUMNS = ", ".join(Period._fields)


def get(store: Store, job: int) -> Period | None:
    if store.kept.are_empty(_HERE):
        return None
    row = store.row(f"SELECT {COLUMNS} FROM periods WHERE job = ?", (job,))
    return None if row is None else Period._make(row)


def put(store: Store, row: Period) -> None:
    store.write(f"INSERT OR REPLACE INTO periods ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)


def drop(store: Store, job: int) -> None:
    if not store.kept.are_empty(_HERE):
        store.write("DELETE FROM periods WHERE job = ?", (job,))


def due(store: Store, now_ms: int, limit: int) -> list[Period]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM periods WHERE until_ms <= ? ORDER BY until_ms, job LIMIT ?", (now_ms, limit)
    )
    return [Period._make(row) for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(until_ms) FROM periods")
    return first
