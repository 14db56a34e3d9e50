"""Runs that repeat another, and the tasks that they took over from it. The rows go with their run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import while_none
from scheduler.words.causes import Kind

_ANY = "SELECT run FROM reruns LIMIT 1"


class Rerun(NamedTuple):
    run: int
    source: int  #: the run that it repeats
    plan: bytes  #: a letter a task, by its place (`machine.rules.reruns`)
    heard: int  #: 1: jobs that wait for its end hear of it
    from_failed: int
    from_task: str
    until_task: str


class Taken(NamedTuple):
    task: int
    run: int  #: in which it came to its end
    origin: int  #: the task there


COLUMNS = ", ".join(Rerun._fields)


def insert(store: Store, rerun: Rerun) -> None:
    store.kept.unnote("reruns", _ANY, ())
    store.write(f"INSERT INTO reruns ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rerun)


def set_plan(store: Store, rerun: Rerun, plan: bytes) -> Rerun:
    """The row as it is then."""
    store.write("UPDATE reruns SET plan = ? WHERE run = ?", (plan, rerun.run))
    return rerun._replace(plan=plan)


def get(store: Store, run: int) -> Rerun | None:
    row = store.row(f"SELECT {COLUMNS} FROM reruns WHERE run = ?", (run,))
    return None if row is None else Rerun._make(row)


def of_runs(store: Store, runs: Sequence[int]) -> list[Rerun]:
    marks = ", ".join("?" * len(runs))
    rows = store.rows(f"SELECT {COLUMNS} FROM reruns WHERE run IN ({marks}) ORDER BY run", runs)
    return [Rerun._make(row) for row in rows]


def of_source(store: Store, source: int, limit: int) -> list[int]:
    """The newest runs that repeat this one."""
    rows = store.rows("SELECT run FROM reruns WHERE source = ? ORDER BY run DESC LIMIT ?", (source, limit))
    return [row[0] for row in rows]


def is_heard(store: Store, run: int, cause: str) -> bool:
    """Whether jobs that wait for its end hear of it: of one that repeats another where that was asked."""
    if cause == Kind.BACKFILL:  # what waits for a job waits for its present
        return False
    if cause != Kind.RERUN:
        return True
    rerun = get(store, run)
    return rerun is not None and rerun.heard == 1


def is_read(store: Store, source: int) -> bool:
    """Whether a run is being made that takes over what this one has."""
    if store.kept.note("reruns", _ANY, (), keeps=while_none) is None:
        return False  # each run that is purged asks for it
    row = store.row(
        "SELECT 1 FROM reruns CROSS JOIN runs ON runs.id = reruns.run WHERE reruns.source = ?1"
        " AND (runs.unmade > 0 OR EXISTS (SELECT 1 FROM fanouts f WHERE f.run = runs.id AND f.unmade > 0"
        " AND f.repeats > 0)) LIMIT 1",
        (source,),
    )
    return row is not None


def take(store: Store, taken: Taken) -> None:
    store.write("INSERT INTO taken_tasks (task, run, origin) VALUES (?, ?, ?)", taken)


def taken(store: Store, task: int) -> Taken | None:
    row = store.row("SELECT task, run, origin FROM taken_tasks WHERE task = ?", (task,))
    return None if row is None else Taken._make(row)


def taken_between(store: Store, first: int, last: int) -> dict[int, int]:
    """The runs in which tasks with these ids came to their ends, of those that were taken over."""
    rows = store.rows(
        "SELECT task, run FROM taken_tasks WHERE task BETWEEN ? AND ? ORDER BY task", (first, last)
    )
    return {row[0]: row[1] for row in rows}


def purge(store: Store, run: int) -> None:
    if store.kept.note("reruns", _ANY, (), keeps=while_none) is None:
        store.kept.tell((run,))
    else:
        store.write("DELETE FROM reruns WHERE run = ?", (run,))


def purge_taken(store: Store, run: int, limit: int) -> None:
    """Drop those of the first tasks of a run, as many as that, before these go."""
    if store.value("SELECT 1 FROM taken_tasks LIMIT 1") is not None:  # hardly any run has some
        store.write(
            "DELETE FROM taken_tasks WHERE task IN (SELECT id FROM tasks WHERE run = ? ORDER BY id LIMIT ?)",
            (run, limit),
        )
