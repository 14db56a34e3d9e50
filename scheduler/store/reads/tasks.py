"""Tasks of runs, for lists and for whoever follows one."""

from __future__ import annotations

import json
from collections.abc import Iterable

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import chunks, marks
from scheduler.store.tables.tasks import COLUMNS, Task


def of_runs(store: Store, runs: Iterable[int]) -> list[Task]:
    found: list[Task] = []
    for ids in chunks(runs):
        rows = store.rows(f"SELECT {COLUMNS} FROM tasks WHERE run IN ({marks(len(ids))}) ORDER BY id", ids)
        found += [Task._make(row) for row in rows]
    return found


_NAMED = """
WITH RECURSIVE named(run, name) AS (
  SELECT value, (SELECT min(name) FROM tasks WHERE run = value) FROM json_each(?)
  UNION ALL
  SELECT run, (SELECT min(name) FROM tasks WHERE run = named.run AND name > named.name)
  FROM named WHERE name IS NOT NULL
)
"""
_WHOLES = "FROM named CROSS JOIN tasks t ON t.run = named.run AND t.name = named.name AND t.member = ''"


def wholes_of_runs(store: Store, runs: Iterable[int]) -> list[Task]:
    """The same without members: a step of the index for each name, however many these are."""
    columns = ", ".join(f"t.{name}" for name in Task._fields)
    found = store.rows(f"{_NAMED} SELECT {columns} {_WHOLES}", (json.dumps(list(runs)),))
    return sorted(map(Task._make, found))


def count_wholes(store: Store, run: int, most: int) -> int:
    """Of one run as many as there are without members, or tries of them, if these are more: of `most`."""
    counted = f"{_NAMED} SELECT max(count(*), total(attempts)) FROM (SELECT attempts {_WHOLES} LIMIT ?)"
    return int(store.value(counted, (json.dumps([run]), most)))


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
