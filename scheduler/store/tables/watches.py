"""Runs of which something may have to be told when its time comes (`model.expected`)."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

_HERE = frozenset({"watches"})


class Watch(NamedTuple):
    run: int
    job: int
    start_ms: int | None
    risk_ms: int | None
    end_ms: int | None
    long_ms: int | None
    usual_ms: int | None
    ended: int
    next_ms: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to be told of it."""
        return self.start_ms is self.risk_ms is self.end_ms is self.long_ms is None


COLUMNS = ", ".join(Watch._fields)
_PUT = f"INSERT OR REPLACE INTO watches ({COLUMNS}) VALUES ({', '.join('?' * len(Watch._fields))})"


def get(store: Store, run: int) -> Watch | None:
    if store.kept.are_empty(_HERE):
        return None
    row = store.row(f"SELECT {COLUMNS} FROM watches WHERE run = ?", (run,))
    return None if row is None else Watch._make(row)


def put(store: Store, row: Watch) -> None:
    instants = [row.start_ms, row.risk_ms, row.end_ms, row.long_ms]
    store.write(_PUT, row._replace(next_ms=min([at for at in instants if at is not None], default=None)))


def drop(store: Store, run: int) -> None:
    if not store.kept.are_empty(_HERE):
        store.write("DELETE FROM watches WHERE run = ?", (run,))


def ended(store: Store, job: int, limit: int) -> list[int]:
    """Runs of the job that ended without success, before the time by which one is to have."""
    if store.kept.are_empty(_HERE):
        return []
    rows = store.rows(
        "SELECT run FROM watches INDEXED BY watches_ended WHERE job = ? AND ended = 1 ORDER BY run LIMIT ?",
        (job, limit),
    )
    return [row[0] for row in rows]


def due(store: Store, now_ms: int, limit: int, through: int) -> list[int]:
    """Runs with ids above `through` of which the time of something has come."""
    rows = store.rows(
        "SELECT run FROM watches WHERE next_ms IS NOT NULL AND next_ms <= ? AND run > ?"
        " ORDER BY next_ms, run LIMIT ?",
        (now_ms, through, limit),
    )
    return [row[0] for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(next_ms) FROM watches WHERE next_ms IS NOT NULL")
    return first
