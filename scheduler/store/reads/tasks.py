"""Tasks of runs, for lists and for whoever follows one."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import chunks, marks
from scheduler.store.tables.tasks import COLUMNS, Task


def of_runs(store: Store, runs: Iterable[int], *, wholes: bool = False) -> list[Task]:
    """`wholes`: without members, of runs in which tasks are divided."""
    found: list[Task] = []
    but = " AND member = ''" if wholes else ""
    for ids in chunks(runs):
        rows = store.rows(
            f"SELECT {COLUMNS} FROM tasks WHERE run IN ({marks(len(ids))}){but} ORDER BY id", ids
        )
        found += [Task._make(row) for row in rows]
    return found


def of_ids(store: Store, tasks: Iterable[int]) -> dict[int, Task]:
    found: dict[int, Task] = {}
    for ids in chunks(tasks):
        rows = store.rows(f"SELECT {COLUMNS} FROM tasks WHERE id IN ({marks(len(ids))}) ORDER BY id", ids)
        found.update((task.id, task) for task in map(Task._make, rows))
    return found


def count(store: Store, run: int, most: int) -> int:
    """Of one run in all rounds, counted up to `most`."""
    number: int = store.value("SELECT count(*) FROM (SELECT 1 FROM tasks WHERE run = ? LIMIT ?)", (run, most))
    return number


def names(store: Store, run: int, limit: int) -> list[str]:
    """Of this run's tasks, each once: one step of the index each, whatever members and rounds they have."""
    found: list[str] = []
    while len(found) < limit:
        last = found[-1] if found else ""
        row = store.row(
            "SELECT name FROM tasks WHERE run = ? AND name > ? ORDER BY name LIMIT 1", (run, last)
        )
        if row is None:
            break
        found.append(row[0])
    return found


def of_round(store: Store, run: int, name: str, member: str, round: int | None) -> int | None:
    """The id of this task in that round; None: the newest."""
    asked = "" if round is None else " AND round = ?"
    task: int | None = store.value(
        f"SELECT id FROM tasks WHERE run = ? AND name = ? AND member = ?{asked} ORDER BY round DESC LIMIT 1",
        (run, name, member) if round is None else (run, name, member, round),
    )
    return task


def has_ended(store: Store, task: int) -> bool:
    """Whether there will be no further try of it."""
    return store.row("SELECT 1 FROM tasks WHERE id = ? AND finished_ms IS NULL", (task,)) is None


def unended(store: Store, run: int, limit: int) -> list[Task]:
    """The first tasks of a run that have not ended."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM tasks WHERE run = ? AND finished_ms IS NULL ORDER BY id LIMIT ?", (run, limit)
    )
    return [Task._make(row) for row in rows]
