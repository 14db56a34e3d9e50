"""Firings that wait for room among the runs of their job: of an `after` trigger one, of an `all_of` one a
plan date. Each end of a run of the job lets the planner look again (`at_ms`)."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import always


class Postponed(NamedTuple):
    trigger: int
    cause_key: str
    kind: str
    job: int
    due_ms: int
    at_ms: int | None  #: when it is tried again; None: once a run of the job has ended


COLUMNS = ", ".join(Postponed._fields)
_POSTPONED = frozenset({"postponed"})
_ANY = "SELECT 1 FROM postponed WHERE job = ? LIMIT 1"


def get(store: Store, trigger: int, cause_key: str) -> Postponed | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM postponed WHERE trigger = ? AND cause_key = ?", (trigger, cause_key)
    )
    return None if row is None else Postponed._make(row)


def first_of(store: Store, trigger: int) -> Postponed | None:
    if store.kept.are_empty(_POSTPONED):
        return None
    row = store.row(
        f"SELECT {COLUMNS} FROM postponed WHERE trigger = ? ORDER BY cause_key LIMIT 1", (trigger,)
    )
    return None if row is None else Postponed._make(row)


def beyond(store: Store, trigger: int, most: int) -> Postponed | None:
    """The first, where there are more of this trigger than so many."""
    last = "SELECT 1 FROM postponed WHERE trigger = ? LIMIT 1 OFFSET ?"
    return None if store.value(last, (trigger, most)) is None else first_of(store, trigger)


def put(store: Store, postponed: Postponed) -> None:
    store.kept.unnote("postponed", _ANY, (postponed.job,))
    store.write(f"INSERT OR REPLACE INTO postponed ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", postponed)


def drop(store: Store, trigger: int, cause_key: str) -> None:
    if store.kept.are_empty(_POSTPONED):
        return
    store.write("DELETE FROM postponed WHERE trigger = ? AND cause_key = ?", (trigger, cause_key))


def hand_on(store: Store, trigger: int, heir: int) -> None:
    """The trigger goes on as `heir`."""
    store.write("UPDATE postponed SET trigger = ? WHERE trigger = ?", (heir, trigger))


def wake(store: Store, job: int, at_ms: int) -> None:
    """A run of the job has ended. Asked each time, so that there is none is remembered."""
    if store.kept.note("postponed", _ANY, (job,), keeps=always) is not None:
        store.write("UPDATE postponed SET at_ms = ? WHERE job = ?", (at_ms, job))


def of_job(store: Store, job: int) -> list[Postponed]:
    rows = store.rows(f"SELECT {COLUMNS} FROM postponed WHERE job = ? ORDER BY trigger, cause_key", (job,))
    return [Postponed._make(row) for row in rows]


def due(store: Store, now_ms: int, limit: int) -> list[Postponed]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM postponed WHERE at_ms <= ? ORDER BY at_ms, trigger, cause_key LIMIT ?",
        (now_ms, limit),
    )
    return [Postponed._make(row) for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(at_ms) FROM postponed")
    return first
