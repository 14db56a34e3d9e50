"""Outputs of tasks: for those after them, and for people."""

from __future__ import annotations

import json
from collections.abc import Iterable

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import chunks, marks
from scheduler.store.tables.tasks import ONLY

SHOWN_BYTES_MAX = 1 << 20


def of_tasks(store: Store, run: int, names: Iterable[str]) -> dict[str, bytes]:
    """Of these tasks of a run those that gave any in their newest rounds."""
    rows = store.rows(
        "SELECT value, text FROM json_each(?) CROSS JOIN outputs ON task = (SELECT id FROM tasks"
        " WHERE run = ? AND name = value AND member = ? ORDER BY round DESC LIMIT 1) ORDER BY value",
        (json.dumps(list(names)), run, ONLY),
    )
    return {name: bytes(text) for name, text in rows}


def of_ids(store: Store, tasks: Iterable[int]) -> dict[int, bytes]:
    """Of these tasks, as long as all together have SHOWN_BYTES_MAX."""
    found: dict[int, bytes] = {}
    room = SHOWN_BYTES_MAX
    for some in chunks(tasks):
        rows = store.rows(
            f"SELECT task, text FROM outputs WHERE task IN ({marks(len(some))}) ORDER BY task", some
        )
        for task, text in rows:
            room -= len(text)
            if room < 0:
                return found
            found[task] = bytes(text)
    return found


def between(store: Store, first: int, last: int) -> dict[int, bytes]:
    """Of the tasks with these ids, in their order, as long as all together have SHOWN_BYTES_MAX."""
    found: dict[int, bytes] = {}
    room = SHOWN_BYTES_MAX
    for task, text in store.rows(
        "SELECT task, text FROM outputs WHERE task BETWEEN ? AND ? ORDER BY task LIMIT 10000", (first, last)
    ):
        room -= len(text)
        if room < 0:
            break
        found[task] = bytes(text)
    return found
