"""Jobs that could not follow their template when their turn came, and why. It holds for the revision that the
job had then: whatever is put has another. The row goes when the job follows, or is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store

_TABLES = frozenset({"left_behind"})
WHY_LETTERS_MAX = 500


class LeftBehind(NamedTuple):
    job: int
    revision: int
    template: str  #: namespace/name
    why: str
    at_ms: int


COLUMNS = ", ".join(LeftBehind._fields)


def put(store: Store, row: LeftBehind) -> None:
    store.write(f"INSERT OR REPLACE INTO left_behind ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", row)


def drop(store: Store, job: int) -> None:
    if not store.kept.are_empty(_TABLES):
        store.write("DELETE FROM left_behind WHERE job = ?", (job,))


def of_jobs(store: Store, jobs: Sequence[int]) -> dict[tuple[int, int], LeftBehind]:
    """By job and revision."""
    marks = ", ".join("?" * len(jobs))
    rows = store.rows(f"SELECT {COLUMNS} FROM left_behind WHERE job IN ({marks}) ORDER BY job", jobs)
    return {(row[0], row[1]): LeftBehind._make(row) for row in rows}
