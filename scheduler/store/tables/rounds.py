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
    stopped: int = 0  #: 1: a person stops it
    catching: int = 0  #: 1: its tasks have ended, and those go on that catch a failure
    retries: int = 0
    repeats: int = 0
    agent: int = 0  #: to which all of a sticky one goes; 0: to any yet


TABLE = Table("rounds", Round)
COLUMNS = ", ".join(Round._fields)


def get(store: Store, task: int) -> Round | None:
    return store.kept.get(TABLE, task)


def insert(store: Store, row: Round) -> None:
    store.kept.insert(TABLE, row)


def change(store: Store, row: Round, **changes: int) -> Round:
    """The row as it is then."""
    store.kept.update(TABLE, row.task, (*changes.values(), row.task), **changes)
    return row._replace(**changes)


def of_run(store: Store, run: int) -> list[Round]:
    rows = store.rows(f"SELECT {COLUMNS} FROM rounds WHERE run = ? ORDER BY task", (run,))
    return [Round._make(row) for row in rows]


def drop(store: Store, task: int) -> None:
    store.write("DELETE FROM rounds WHERE task = ?", (task,), row=("rounds", task))


def drop_of_run(store: Store, run: int) -> None:
    store.write("DELETE FROM rounds WHERE run = ?", (run,))
