"""Backfills of jobs: how far each has come. Of those that are over a job keeps the last few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from scheduler.store.connection import Store

GOING, DONE, CANCELLED = "going", "done", "cancelled"
GOING_MAX = 10  #: of one job
KEPT_MAX = 50  #: of one job


class Backfill(NamedTuple):
    id: int
    job: int
    namespace: str
    name: str
    key: str
    from_ms: int
    to_ms: int
    first_day: int | None  #: of its instants those of these plan dates alone; None: all
    last_day: int | None
    at_ms: int
    instants: int
    active_max: int
    missing_only: int
    again: int
    closed: int
    params: str
    reason: str
    actor: str
    began_ms: int
    ended_ms: int | None
    state: str
    why: str
    left_out: int
    made: int
    active: int
    succeeded: int
    wake_ms: int | None


COLUMNS = ", ".join(Backfill._fields)
_INSERT = f"INSERT INTO backfills ({COLUMNS}) VALUES ({', '.join('?' * len(Backfill._fields))})"


def get(store: Store, backfill: int) -> Backfill | None:
    row = store.row(f"SELECT {COLUMNS} FROM backfills WHERE id = ?", (backfill,))
    return None if row is None else Backfill._make(row)


def last(store: Store) -> int:
    """The number of the newest; 0: there is none. Numbers are never used again: the newest row stays."""
    newest: int | None = store.value("SELECT max(id) FROM backfills")
    return newest or 0


def insert(store: Store, row: Backfill) -> None:
    """Of those of its job that are over the oldest may go."""
    store.write(_INSERT, row)
    store.write(
        "DELETE FROM backfills WHERE job = ? AND state <> 'going' AND id IN"
        " (SELECT id FROM backfills WHERE job = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (row.job, row.job, KEPT_MAX),
    )


def change(store: Store, row: Backfill, **changes: Any) -> Backfill:
    sets = ", ".join(f"{name} = ?" for name in changes)
    store.write(f"UPDATE backfills SET {sets} WHERE id = ?", (*changes.values(), row.id))
    return row._replace(**changes)


def cancel_all(store: Store, why: str, at_ms: int) -> None:
    """Those that are not over, of all jobs."""
    store.execute(
        "UPDATE backfills SET state = ?, why = ?, ended_ms = ?, wake_ms = NULL WHERE state = ?",
        (CANCELLED, why, at_ms, GOING),
    )


def going(store: Store, job: int, limit: int) -> list[Backfill]:
    """Those of a job that are not over, the oldest first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM backfills WHERE job = ? AND state = 'going' ORDER BY id LIMIT ?", (job, limit)
    )
    return [Backfill._make(row) for row in rows]


def of_job(store: Store, job: int, limit: int, before: int | None = None) -> list[Backfill]:
    """The newest first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM backfills WHERE job = ? AND id < ? ORDER BY id DESC LIMIT ?",
        (job, 1 << 62 if before is None else before, limit),
    )
    return [Backfill._make(row) for row in rows]


def due(store: Store, now_ms: int, paused: Sequence[str], limit: int) -> list[Backfill]:
    """Those that can go on, but of no paused job and of none of these namespaces."""
    if store.value("SELECT 1 FROM backfills WHERE wake_ms <= ? LIMIT 1", (now_ms,)) is None:
        return []
    but = f" AND b.namespace NOT IN ({', '.join('?' * len(paused))})" if paused else ""
    rows = store.rows(
        f"SELECT {', '.join(f'b.{name}' for name in Backfill._fields)} FROM backfills b"
        " CROSS JOIN jobs j ON j.id = b.job WHERE b.wake_ms <= ? AND j.state <> 'paused'"
        f"{but} ORDER BY b.wake_ms, b.id LIMIT ?",
        (now_ms, *paused, limit),
    )
    return [Backfill._make(row) for row in rows]
