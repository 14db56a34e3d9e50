"""A job's past as a picture shows it: the newest first, few columns, many rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store

Place = tuple[int, int, int]  #: (job, instant, seq) of the last one that was given out


class Cell(NamedTuple):
    """What became of a tick, or of a range of them that ended alike; with its run as long as that is kept."""

    job: int
    seq: int
    first_ms: int
    last_ms: int
    ticks: int
    trigger: str
    outcome: str
    reason: str
    run: int
    state: str | None
    due_ms: int | None
    started_ms: int | None
    finished_ms: int | None


_CELL = (
    "SELECT l.job, l.seq, l.first_ms, l.last_ms, l.count, t.key, l.outcome, l.reason, l.run,"
    " r.state, r.due_ms, r.started_ms, r.finished_ms FROM ledger l INDEXED BY ledger_job"
    " CROSS JOIN triggers t ON t.id = l.trigger LEFT JOIN runs r ON r.id = l.run AND l.outcome = 'ran'"
)


def cells(store: Store, jobs: Sequence[int], limit: int, before: Place | None = None) -> list[Cell]:
    """Of the jobs that had a name one after the other (their ids go up): the last one's first."""
    found: list[Cell] = []
    for job in sorted(jobs, reverse=True):
        if before is not None and job > before[0]:
            continue
        behind = before[1:] if before is not None and before[0] == job else (1 << 62, 0)
        rows = store.rows(
            f"{_CELL} WHERE l.job = ? AND (l.first_ms, l.seq) < (?, ?)"
            " ORDER BY l.first_ms DESC, l.seq DESC LIMIT ?",
            (job, *behind, limit - len(found)),
        )
        found += [Cell._make(row) for row in rows]
        if len(found) == limit:
            break
    return found


def undecided(store: Store, jobs: Sequence[int], limit: int) -> list[Cell]:
    """Ticks that fired and are not decided yet: their runs wait or go on."""
    found: list[Cell] = []
    for job in sorted(jobs, reverse=True):
        rows = store.rows(
            "SELECT r.job, 0, r.tick_ms, r.tick_ms, 1, t.key, 'pending', '', r.id, r.state, r.due_ms,"
            " r.started_ms, r.finished_ms FROM runs r INDEXED BY runs_active"
            " CROSS JOIN triggers t ON t.id = r.trigger WHERE r.job = ? AND r.finished_ms IS NULL"
            " AND r.decided = 0 AND r.tick_ms IS NOT NULL ORDER BY r.id DESC LIMIT ?",
            (job, limit - len(found)),
        )
        found += [Cell._make(row) for row in rows]
        if len(found) == limit:
            break
    return found


class Measured(NamedTuple):
    """A run, for a chart."""

    id: int
    cause: str
    state: str
    tick_ms: int | None
    due_ms: int
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    exit_code: int | None


def measured(store: Store, jobs: Sequence[int], limit: int, before: int | None = None) -> list[Measured]:
    """Runs of the jobs that had a name, with ids below `before`, the newest first."""
    found: list[Measured] = []
    for job in sorted(jobs, reverse=True):  # the runs of a later one have higher ids
        rows = store.rows(
            f"SELECT {', '.join(Measured._fields)} FROM runs INDEXED BY runs_job WHERE job = ? AND id < ?"
            " ORDER BY id DESC LIMIT ?",
            (job, 1 << 62 if before is None else before, limit - len(found)),
        )
        found += [Measured._make(row) for row in rows]
        if len(found) == limit:
            break
    return found
