"""Tasks that are divided, and pages of their members."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import LOOKED_MAX, chunks, marks
from scheduler.store.tables.fanouts import COLUMNS, Fanout
from scheduler.store.tables.tasks import COLUMNS as TASK_COLUMNS
from scheduler.store.tables.tasks import Task, newest


def of_runs(store: Store, runs: Iterable[int]) -> dict[int, Fanout]:
    """By the whole task."""
    found: dict[int, Fanout] = {}
    for ids in chunks(runs):
        rows = store.rows(f"SELECT {COLUMNS} FROM fanouts WHERE run IN ({marks(len(ids))})", ids)
        found.update((row[0], Fanout._make(row)) for row in rows)
    return found


def members(
    store: Store, now: Fanout, states: Collection[str], *, after: int, limit: int,
    looked_max: int = LOOKED_MAX,
) -> tuple[list[Task], int | None]:  # fmt: skip
    """Of the members that are made those in one of these states (none: in any), behind the one with the id
    `after`, in their order; and the id to go on from. Bounded by what is looked at."""
    first = max(after + 1, now.first_task)
    last = min(now.first_task + now.made - 1, first + (looked_max if states else limit) - 1)
    within = f" AND state IN ({marks(len(states))})" if states else ""
    rows = store.rows(
        f"SELECT {TASK_COLUMNS} FROM tasks WHERE id BETWEEN ? AND ?{within} ORDER BY id LIMIT ?",
        (first, last, *states, limit),
    )
    found = [Task._make(row) for row in rows]
    end = found[-1].id if len(found) == limit else last
    return found, end if end < now.first_task + now.made - 1 else None


def member(
    store: Store, now: Fanout, run: int, name: str, member: str, states: Collection[str]
) -> list[Task]:  # fmt: skip
    """This one, where it is made and in one of these states (none: in any)."""
    row = newest(store, run, name, member) if member else None
    is_meant = row is not None and row.of_group == now.task and (not states or row.state in states)
    return [row] if row is not None and is_meant else []


def items(store: Store, tasks: Iterable[int]) -> dict[int, str]:
    """Of these members those that have one of their own."""
    rows = store.rows(
        "SELECT task, item FROM json_each(?) CROSS JOIN member_items ON task = value",
        (json.dumps(list(tasks)),),
    )
    return {row[0]: row[1] for row in rows}
