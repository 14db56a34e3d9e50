"""Pauses of jobs that end by themselves: when. The row goes with the pause."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

_TABLES = frozenset({"job_pauses"})


class JobPause(NamedTuple):
    job: int
    until_ms: int


def until_ms(store: Store, job: int) -> int | None:
    """None: it is not paused, or by a resume alone it goes on."""
    if store.kept.are_empty(_TABLES):
        return None
    found: int | None = store.value("SELECT until_ms FROM job_pauses WHERE job = ?", (job,))
    return found


def put(store: Store, row: JobPause) -> None:
    store.write("INSERT OR REPLACE INTO job_pauses (job, until_ms) VALUES (?, ?)", row)


def drop(store: Store, job: int) -> None:
    if not store.kept.are_empty(_TABLES):
        store.write("DELETE FROM job_pauses WHERE job = ?", (job,))


def due(store: Store, now_ms: int, limit: int) -> list[JobPause]:
    rows = store.rows(
        "SELECT job, until_ms FROM job_pauses WHERE until_ms <= ? ORDER BY until_ms, job LIMIT ?",
        (now_ms, limit),
    )
    return [JobPause._make(row) for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(until_ms) FROM job_pauses")
    return first
