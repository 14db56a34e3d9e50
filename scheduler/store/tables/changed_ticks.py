"""Ticks of which a person has said something: one that is held, skipped, moved, or has parameters of its own.

A tick is known by its job, its trigger's own key and its nominal instant, so it stays the same one whatever
becomes of its era. While the trigger has not come to it (`passed` 0) its row only says what is to become
of it then. From then on it is pending by itself, and `fire_ms` says when somebody has to look at it. The row
goes with its decision; that of one which was due before its instant stays until its trigger has come to it.
`State.changed_ticks` says whether there are any.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

GO, HELD, SKIPPED, MOVED = "go", "held", "skipped", "moved"
"""What is to become of it: as it was, or else."""
FIRED = "fired"
"""It was moved to an earlier instant, and that has come: its trigger passes it by."""


class ChangedTick(NamedTuple):
    job: int
    key: str  #: of its trigger
    at_ms: int  #: nominal: which tick it is
    act: str
    move_ms: int | None  #: of one that is moved, when it is due
    params: str  #: canonical JSON, all of them; empty: those of its trigger
    passed: int  #: 1: its trigger has come to it, and gone on
    plan_day: int | None  #: since it was passed
    fire_ms: int | None  #: since then, or where it is due before its instant, when it is looked at
    since_ms: int
    reason: str
    actor: str
    given_by: str = ""  #: who gave it its parameters


COLUMNS = ", ".join(ChangedTick._fields)
_MARKS = ", ".join("?" * len(ChangedTick._fields))
_ONE = "job = ? AND key = ? AND at_ms = ?"


def get(store: Store, job: int, key: str, at_ms: int) -> ChangedTick | None:
    row = store.row(f"SELECT {COLUMNS} FROM changed_ticks WHERE {_ONE}", (job, key, at_ms))
    return None if row is None else ChangedTick._make(row)


def put(store: Store, row: ChangedTick) -> None:
    store.write(f"INSERT OR REPLACE INTO changed_ticks ({COLUMNS}) VALUES ({_MARKS})", row)


def drop(store: Store, row: ChangedTick) -> None:
    store.write(f"DELETE FROM changed_ticks WHERE {_ONE}", row[:3])


def of_job(store: Store, job: int, limit: int) -> list[ChangedTick]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM changed_ticks WHERE job = ? ORDER BY key, at_ms LIMIT ?", (job, limit)
    )
    return [ChangedTick._make(row) for row in rows]


def within(store: Store, job: int, key: str, after_ms: int, until_ms: int, limit: int) -> list[ChangedTick]:
    """Those of (after_ms, until_ms]."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM changed_ticks WHERE job = ? AND key = ? AND at_ms > ? AND at_ms <= ?"
        " ORDER BY at_ms LIMIT ?",
        (job, key, after_ms, until_ms, limit),
    )
    return [ChangedTick._make(row) for row in rows]


def left_behind(store: Store, job: int, key: str, after_ms: int, until_ms: int) -> list[int]:
    """The instants of (after_ms, until_ms] that are pending by themselves."""
    rows = store.rows(
        "SELECT at_ms FROM changed_ticks WHERE job = ? AND key = ? AND at_ms > ? AND at_ms <= ?"
        " AND passed = 1 ORDER BY at_ms",
        (job, key, after_ms, until_ms),
    )
    return [row[0] for row in rows]


def due(store: Store, after_ms: int, until_ms: int, limit: int) -> list[ChangedTick]:
    """Those to be looked at in (after_ms, until_ms], soonest first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM changed_ticks WHERE fire_ms > ? AND fire_ms <= ?"
        " ORDER BY fire_ms, job, key, at_ms LIMIT ?",
        (after_ms, until_ms, limit),
    )
    return [ChangedTick._make(row) for row in rows]


def next_ms(store: Store, after_ms: int) -> int | None:
    first: int | None = store.value("SELECT min(fire_ms) FROM changed_ticks WHERE fire_ms > ?", (after_ms,))
    return first


def any_of_all(store: Store) -> bool:
    return store.value("SELECT 1 FROM changed_ticks LIMIT 1") is not None
