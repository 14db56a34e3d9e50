"""What persons keep back: a run as a whole (task 0), or a task. A row goes with its run at the latest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import while_none

WHOLE = 0  #: in place of a task


class Hold(NamedTuple):
    run: int
    task: int
    since_ms: int | None  #: None: it went on, and what it took still counts for its start deadline
    actor: str
    reason: str
    deadline_ms: int | None = None  #: its start deadline, which stands still
    failed: str = ""  #: of a task that failed: how it ends when it is released
    kept_ms: int = 0  #: how long earlier holds took, pauses beside them left out
    long_ms: int | None = None  #: when it is told that it lasts longer than its job's period


COLUMNS = ", ".join(Hold._fields)


def put(store: Store, hold: Hold) -> None:
    store.kept.unnote("run_holds", _ANY, ())
    store.write(f"INSERT OR REPLACE INTO run_holds ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", hold)


def get(store: Store, run: int, task: int = WHOLE) -> Hold | None:
    row = store.row(f"SELECT {COLUMNS} FROM run_holds WHERE run = ? AND task = ?", (run, task))
    return None if row is None else Hold._make(row)


def of_runs(store: Store, runs: Sequence[int]) -> list[Hold]:
    marks = ", ".join("?" * len(runs))
    rows = store.rows(f"SELECT {COLUMNS} FROM run_holds WHERE run IN ({marks}) ORDER BY run, task", runs)
    return [Hold._make(row) for row in rows]


def long(store: Store, now_ms: int, after_run: int, limit: int) -> list[Hold]:
    """Of runs with ids above `after_run`, those of which it is to be told by now."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM run_holds WHERE long_ms <= ? AND run > ? ORDER BY long_ms, run, task LIMIT ?",
        (now_ms, after_run, limit),
    )
    return [Hold._make(row) for row in rows]


def next_long_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(long_ms) FROM run_holds WHERE long_ms IS NOT NULL")
    return first


def drop(store: Store, run: int, task: int = WHOLE) -> None:
    store.write("DELETE FROM run_holds WHERE run = ? AND task = ?", (run, task))


_ANY = "SELECT run FROM run_holds LIMIT 1"


def purge(store: Store, run: int) -> None:
    # Each run that goes asks for it, and hardly ever is there any.
    if store.kept.note("run_holds", _ANY, (), keeps=while_none) is None:
        store.kept.tell((run,))
    else:
        store.write("DELETE FROM run_holds WHERE run = ?", (run,))
