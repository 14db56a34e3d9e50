"""Runs that time concerns: when each is judged again, and how long it was kept back.

Of a run that waits for a window, or for the end of a delay, the row says when that comes; of one that waits
for what it requires, when it gives up; of any other, when the window ends in which it went on. A row goes
with its run's end at the latest; a run that time does not concern has none.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class RunWait(NamedTuple):
    run: int
    at_ms: int
    since_ms: int | None = None  #: it waits since then
    deadline_ms: int | None = None  #: its start deadline, which stands still
    kept_ms: int = 0  #: how long it waited before
    any_time: int = 0  #: 1: no window concerns it


COLUMNS = ", ".join(RunWait._fields)


def get(store: Store, run: int) -> RunWait | None:
    row = store.row(f"SELECT {COLUMNS} FROM run_waits WHERE run = ?", (run,))
    return None if row is None else RunWait._make(row)


def put(store: Store, wait: RunWait) -> None:
    store.write(f"INSERT OR REPLACE INTO run_waits ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", wait)


def drop(store: Store, run: int) -> None:
    store.write("DELETE FROM run_waits WHERE run = ?", (run,))


def due(store: Store, now_ms: int, limit: int, after: int = 0) -> list[int]:
    """Of the runs with ids above `after`, the earliest first."""
    rows = store.rows(
        "SELECT run FROM run_waits WHERE at_ms <= ? AND run > ? ORDER BY at_ms, run LIMIT ?",
        (now_ms, after, limit),
    )
    return [row[0] for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(at_ms) FROM run_waits")
    return first
