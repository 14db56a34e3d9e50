"""Runs that tasks of other runs began, and which of those tasks wait for them."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Nested(NamedTuple):
    run: int
    parent: int  #: the run whose task began it
    task: int
    depth: int  #: the run of a run that no other began: 1
    waits: int  #: 1: the task waits for its end, and has not heard of it
    asked: str  #: how the task ends, since somebody stopped it or its timeout passed; empty: as the run does
    state: str  #: how the run ended; empty: it has not
    exit_code: int | None
    reason: str
    warned: int


COLUMNS = ", ".join(Nested._fields)


def get(store: Store, run: int) -> Nested | None:
    row = store.row(f"SELECT {COLUMNS} FROM nested WHERE run = ?", (run,))
    return None if row is None else Nested._make(row)


def of_task(store: Store, task: int) -> Nested | None:
    row = store.row(f"SELECT {COLUMNS} FROM nested WHERE task = ?", (task,))
    return None if row is None else Nested._make(row)


def of_parent(store: Store, parent: int, limit: int) -> list[Nested]:
    sql = f"SELECT {COLUMNS} FROM nested WHERE parent = ? ORDER BY run LIMIT ?"
    return [Nested._make(row) for row in store.rows(sql, (parent, limit))]


def any_waited_for(store: Store, parent: int) -> bool:
    """Whether a task of this run waits for one."""
    found = store.value("SELECT 1 FROM nested WHERE parent = ? AND waits = 1 LIMIT 1", (parent,))
    return found is not None


def any_of(store: Store, tasks: range) -> bool:
    """Whether one of the tasks with these ids does."""
    between = (tasks.start, tasks.stop - 1)
    found = store.value("SELECT 1 FROM nested WHERE task BETWEEN ? AND ? AND waits = 1 LIMIT 1", between)
    return found is not None


def insert(store: Store, nested: Nested) -> None:
    marks = ", ".join("?" * len(Nested._fields))
    store.write(f"INSERT INTO nested ({COLUMNS}) VALUES ({marks})", nested)


def ask(store: Store, run: int, asked: str) -> None:
    store.write("UPDATE nested SET asked = ? WHERE run = ?", (asked, run))


def end(store: Store, run: int, *, state: str, exit_code: int | None, reason: str, warned: int) -> None:
    sql = "UPDATE nested SET state = ?, exit_code = ?, reason = ?, warned = ? WHERE run = ?"
    store.write(sql, (state, exit_code, reason, warned, run))


def heard(store: Store, run: int) -> None:
    """The task has ended: it waits no longer."""
    store.write("UPDATE nested SET waits = 0 WHERE run = ?", (run,))


def purge(store: Store, run: int) -> None:
    """The run goes. What a task has still to hear of it stays, until that goes too."""
    store.write("DELETE FROM nested WHERE (run = ? AND waits = 0) OR parent = ?", (run, run))
