"""Eras of triggers, by the time that they meet."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import chunks, marks
from scheduler.store.tables.triggers import COLUMNS, DUE, DueTrigger, Trigger, read, read_due


def of_job_in(store: Store, job: int, from_ms: int, to_ms: int) -> list[Trigger]:
    """Eras of the job's triggers that have a part of (from_ms, to_ms]."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM triggers WHERE job = ? AND from_ms < ? "
        "AND (until_ms IS NULL OR until_ms > ?) ORDER BY id",
        (job, to_ms, from_ms),
    )
    return [read(store, row) for row in rows]


def overlapping(store: Store, from_ms: int, to_ms: int, after: int, limit: int) -> list[Trigger]:
    """Eras of all jobs that have a part of (from_ms, to_ms], after the id `after`."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM triggers WHERE id > ? AND from_ms < ? AND (until_ms IS NULL OR until_ms > ?)"
        " ORDER BY id LIMIT ?",
        (after, to_ms, from_ms, limit),
    )
    return [read(store, row) for row in rows]


def meeting(store: Store, job: int, instant_ms: int) -> list[Trigger]:
    """Eras that this instant may be of, as it is named or as it is due, oldest first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM triggers WHERE job = ?"
        " AND (from_ms < ? AND (until_ms IS NULL OR until_ms >= ?)"
        " OR from_ms + jitter_ms < ? AND (until_ms IS NULL OR until_ms + jitter_ms >= ?)) ORDER BY id",
        (job, *[instant_ms] * 4),
    )
    return [read(store, row) for row in rows]


def keys(store: Store, triggers: Iterable[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for ids in chunks(triggers):
        for trigger_id, key in store.rows(
            f"SELECT id, key FROM triggers WHERE id IN ({marks(len(ids))}) ORDER BY id", ids
        ):
            found[trigger_id] = key
    return found


def due(store: Store, trigger: int) -> DueTrigger | None:
    """As the planner sees it; None where no instant of it is undecided."""
    row = store.row(f"{DUE} WHERE t.id = ? AND t.next_due_ms IS NOT NULL", (trigger,))
    return None if row is None else read_due(store, row)
