"""Groups of runs of which something has begun, or ended: one row each, of the round that they are in."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table


class Round(NamedTuple):
    task: int  #: that is the group
    run: int
    round: int
    first_task: int  #: what is inside has these ids, in the graph's order
    unmade: int  #: of it the last ones have no row yet: so many
    open_tasks: int  #: of whose end it has not heard
    open_catch: int  #: the same of those that catch
    stopped: int = 0  #: 1: a person stops it; 2: its admission window has ended
    catching: int = 0  #: 1: its tasks have ended, and those go on that catch a failure
    retries: int = 0
    repeats: int = 0
    agent: int = 0  #: to which all of a sticky one goes; 0: to any yet
    closed: int = 0  #: 1: it is outside of its admission windows
    window_ms: int | None = None  #: until then, or when the one ends that is open; None: none concerns it


TABLE = Table("rounds", Round)
COLUMNS = ", ".join(Round._fields)


def get(store: Store, task: int) -> Round | None:
    return store.kept.get(TABLE, task)


def insert(store: Store, row: Round) -> None:
    store.kept.insert(TABLE, row)


def change(store: Store, row: Round, **changes: int | None) -> Round:
    """The row as it is then."""
    store.kept.update(TABLE, row.task, (*changes.values(), row.task), **changes)
    return row._replace(**changes)  # type: ignore[arg-type]  # of each field its own


def of_run(store: Store, run: int) -> list[Round]:
    rows = store.rows(f"SELECT {COLUMNS} FROM rounds WHERE run = ? ORDER BY task", (run,))
    return [Round._make(row) for row in rows]


def due(store: Store, now_ms: int, limit: int, after: int = 0) -> list[int]:
    """Groups of runs with ids above `after` of which a window opens or ends by then, the earliest first."""
    rows = store.rows(
        "SELECT task FROM rounds INDEXED BY rounds_window WHERE window_ms <= ? AND run > ?"
        " ORDER BY window_ms, task LIMIT ?",
        (now_ms, after, limit),
    )
    return [row[0] for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(window_ms) FROM rounds WHERE window_ms IS NOT NULL")
    return first


def drop(store: Store, task: int) -> None:
    store.write("DELETE FROM rounds WHERE task = ?", (task,), row=("rounds", task))


def drop_of_run(store: Store, run: int) -> None:
    store.write("DELETE FROM rounds WHERE run = ?", (run,))
