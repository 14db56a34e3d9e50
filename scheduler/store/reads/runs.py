"""Runs: page by page, of jobs and triggers, and what a proof asks of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import chunks, marks
from scheduler.store.tables.runs import COLUMNS, Run


def page(
    store: Store,
    *,
    before: int | None,
    limit: int,
    jobs: list[int] | None = None,
    namespace: str | None = None,
    state: str | None = None,
    since_ms: int | None = None,
) -> list[Run]:
    """Runs with ids below `before`, of these jobs alone, newest first. Ids grow with creation, so `since_ms`
    ends the walk."""
    where: list[str] = ["id < ?"]
    values: list[object] = [(1 << 62) if before is None else before]
    if jobs is not None:
        if not jobs:
            return []
        where.append(f"job IN ({marks(len(jobs))})")
        values += jobs
    if namespace is not None:
        where.append("namespace = ?")
        values.append(namespace)
    if state is not None:
        where.append("state = ?")
        values.append(state)
    if since_ms is not None:
        where.append("created_ms >= ?")
        values.append(since_ms)
    rows = store.rows(
        f"SELECT {COLUMNS} FROM runs WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?", (*values, limit)
    )
    return [Run._make(row) for row in rows]


def newest_of(store: Store, jobs: Iterable[int]) -> dict[int, Run]:
    """The latest run of each job, ended or not."""
    newest: list[int] = []
    for job_id in sorted(set(jobs)):
        run = store.value("SELECT max(id) FROM runs WHERE job = ?", (job_id,))
        if run is not None:
            newest.append(run)
    found: dict[int, Run] = {}
    for ids in chunks(newest):
        rows = store.rows(f"SELECT {COLUMNS} FROM runs WHERE id IN ({marks(len(ids))}) ORDER BY id", ids)
        found.update((run.job, run) for run in map(Run._make, rows))
    return found


def undecided(store: Store, trigger: int, from_ms: int, to_ms: int, limit: int) -> list[tuple[int, int]]:
    """(instant, run) of ticks that fired and are not decided yet."""
    rows = store.rows(
        "SELECT tick_ms, id FROM runs WHERE trigger = ? AND tick_ms > ? AND tick_ms <= ? AND decided = 0 "
        "AND tick_ms IS NOT NULL ORDER BY tick_ms, id LIMIT ?",
        (trigger, from_ms, to_ms, limit),
    )
    return [(row[0], row[1]) for row in rows]


def undecided_events(
    store: Store, job: int, trigger: int, from_ms: int, to_ms: int, limit: int
) -> list[tuple[int, int, str]]:
    """(instant, run, key) of what fired a trigger without instants and is not decided yet."""
    return store.rows(
        "SELECT due_ms, id, cause_key FROM runs INDEXED BY runs_active WHERE job = ? AND finished_ms IS NULL"
        " AND trigger = ? AND decided = 0 AND due_ms > ? AND due_ms <= ? ORDER BY due_ms, id LIMIT ?",
        (job, trigger, from_ms, to_ms, limit),
    )


# -- of whoever proves it ---------------------------------------------------------------------------


def doubled(
    store: Store, after: tuple[int, int], limit: int
) -> tuple[list[tuple[int, int, int]], tuple[int, int] | None]:
    """Of the next `limit` runs of ticks behind (trigger, instant): the ticks that have more than one, and how
    many; and the last looked at, None at the end. By the index alone.
    """
    source = "FROM runs INDEXED BY runs_tick WHERE tick_ms IS NOT NULL AND (trigger, tick_ms) > (?, ?)"
    last = store.row(
        f"SELECT trigger, tick_ms {source} ORDER BY trigger, tick_ms LIMIT 1 OFFSET ?", (*after, limit - 1)
    )
    upto = (1 << 62, 0) if last is None else (last[0], last[1])
    rows = store.rows(
        f"SELECT trigger, tick_ms, count(*) {source} AND (trigger, tick_ms) <= (?, ?)"
        " GROUP BY trigger, tick_ms HAVING count(*) > 1 ORDER BY trigger, tick_ms",
        (*after, *upto),
    )
    return [(trigger, tick_ms, count) for trigger, tick_ms, count in rows], None if last is None else upto


def undecided_ticks(store: Store, job: int, trigger: int, from_ms: int, to_ms: int) -> list[int]:
    """Instants in (from_ms, to_ms] of the job's active runs without a ledger entry yet."""
    # By the few runs that are active: by trigger and tick every run of the range would be looked up.
    rows = store.rows(
        "SELECT tick_ms FROM runs INDEXED BY runs_active WHERE job = ? AND finished_ms IS NULL"
        " AND trigger = ? AND tick_ms > ? AND tick_ms <= ? AND decided = 0 ORDER BY tick_ms, id",
        (job, trigger, from_ms, to_ms),
    )
    return [row[0] for row in rows]


class Undecided(NamedTuple):
    id: int
    job: int
    trigger: int
    tick_ms: int | None
    due_ms: int


def ended_undecided(store: Store, after: int, limit: int) -> tuple[list[Undecided], int | None]:
    """Of the next `limit` runs after the id `after` those that ended without a ledger entry, which none may;
    and the last id looked at, None at the end. In the table's own order.
    """
    last: int | None = store.value(
        "SELECT max(id) FROM (SELECT id FROM runs WHERE id > ? ORDER BY id LIMIT ?)", (after, limit)
    )
    rows = store.rows(
        "SELECT id, job, trigger, tick_ms, due_ms FROM runs WHERE id > ? AND id <= ? AND decided = 0"
        " AND finished_ms IS NOT NULL ORDER BY id",
        (after, last),
    )
    return [Undecided._make(row) for row in rows], last
