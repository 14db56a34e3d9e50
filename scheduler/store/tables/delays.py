"""Triggers that count from the ends of their job's runs (`every: {delay}`): when each is due, and what it
counts from. A row a live trigger; and one of an era that ended with what was due, until that has fired."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Delay(NamedTuple):
    trigger: int
    job: int
    delay_ms: int
    due_ms: int | None  #: None: a run of the job goes on
    run: int  #: whose end it counts from; 0: no run's
    anchor_ms: int  #: the instant it counts from


COLUMNS = ", ".join(Delay._fields)


def get(store: Store, trigger: int) -> Delay | None:
    row = store.row(f"SELECT {COLUMNS} FROM delays WHERE trigger = ?", (trigger,))
    return None if row is None else Delay._make(row)


def put(store: Store, delay: Delay) -> None:
    marks = ", ".join("?" * len(Delay._fields))
    store.write(f"INSERT OR REPLACE INTO delays ({COLUMNS}) VALUES ({marks})", delay)


def drop(store: Store, trigger: int) -> None:
    store.write("DELETE FROM delays WHERE trigger = ?", (trigger,))


def of_job(store: Store, job: int) -> list[Delay]:
    """Of its live triggers."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM delays WHERE job = ? AND EXISTS"
        " (SELECT 1 FROM triggers t WHERE t.id = delays.trigger AND t.until_ms IS NULL) ORDER BY trigger",
        (job,),
    )
    return [Delay._make(row) for row in rows]


def left(store: Store, job: int) -> list[Delay]:
    """Of its eras that have ended, and are yet to fire."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM delays WHERE job = ? AND EXISTS"
        " (SELECT 1 FROM triggers t WHERE t.id = delays.trigger AND t.until_ms IS NOT NULL) ORDER BY trigger",
        (job,),
    )
    return [Delay._make(row) for row in rows]


def due(store: Store, after_ms: int, now_ms: int, limit: int) -> list[Delay]:
    """Soonest first; those that were due by `after_ms` are left out."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM delays WHERE due_ms > ? AND due_ms <= ? ORDER BY due_ms, trigger LIMIT ?",
        (after_ms, now_ms, limit),
    )
    return [Delay._make(row) for row in rows]


def next_ms(store: Store, after_ms: int) -> int | None:
    first: int | None = store.value("SELECT min(due_ms) FROM delays WHERE due_ms > ?", (after_ms,))
    return first
