"""Runs: page by page, of jobs and triggers, and what a proof asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import LOOKED_MAX, among, asked, chunks, marks
from scheduler.store.reads.labels import label_conditions
from scheduler.store.reads.newest import Way, newest, span
from scheduler.store.tables.runs import COLUMNS, Run


class Wanted(NamedTuple):
    """Which runs of a list."""

    jobs: Sequence[int] | None = None  #: that had the name one after the other
    namespaces: Sequence[str] | None = None  #: of these; None: of all
    states: Sequence[str] = ()  #: one of these; empty: any
    warned: bool | None = None  #: with a warning, or without; None: both
    cause: str | None = None
    labels: Sequence[tuple[str, str | None]] = ()  #: of the job as it is now
    since_ms: int | None = None  #: created at or after
    until_ms: int | None = None  #: and before

    def ways(self) -> list[Way]:
        if self.jobs is not None:
            return [Way("FROM runs INDEXED BY runs_job WHERE job = ?", (job,)) for job in self.jobs]
        if self.warned:
            return [Way("FROM runs INDEXED BY runs_warned WHERE warned = 1")]
        if self.states and "succeeded" not in self.states:
            source = "FROM runs INDEXED BY runs_state WHERE state = ? AND state <> 'succeeded'"
            return [Way(source, (state,)) for state in self.states]
        if self.namespaces is not None:
            source = "FROM runs INDEXED BY runs_namespace WHERE namespace = ?"
            return [Way(source, (namespace,)) for namespace in self.namespaces]
        return [Way("FROM runs WHERE 1")]

    def conditions(self) -> tuple[str, list[object]]:
        warned = None if self.warned is None else int(self.warned)
        where, values = asked(("cause = ?", self.cause), ("warned = ?", warned))
        within, names = among("namespace", self.namespaces)
        if self.states:
            where += f" AND state IN ({marks(len(self.states))})"
            values += self.states
        if self.labels:
            conditions, more = label_conditions(self.labels)
            where += f" AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = runs.job{conditions})"
            values += more
        return where + within, values + names


def page(
    store: Store, wanted: Wanted, *, limit: int, before: int | None = None, looked_max: int = LOOKED_MAX
) -> tuple[list[Run], int | None]:
    """Runs with ids below `before`, the newest first, and the id to go on from: as `newest`."""
    within = span(
        store, "runs", "id", "created_ms", since_ms=wanted.since_ms, until_ms=wanted.until_ms, before=before
    )
    rows, after = newest(
        store, COLUMNS, wanted.ways(), within, *wanted.conditions(), limit=limit, looked_max=looked_max
    )
    return [Run._make(row) for row in rows], after


def newest_of(store: Store, jobs: Iterable[int]) -> dict[int, Run]:
    """The latest run of each job, ended or not."""
    found: dict[int, Run] = {}
    for ids in chunks(jobs):
        rows = store.rows(
            f"SELECT {', '.join(f'r.{name}' for name in Run._fields)} FROM jobs j CROSS JOIN runs r"
            f" ON r.id = (SELECT max(id) FROM runs WHERE job = j.id) WHERE j.id IN ({marks(len(ids))})"
            " ORDER BY j.id",
            ids,
        )
        found.update((run.job, run) for run in map(Run._make, rows))
    return found


def of_ids(store: Store, runs: Iterable[int]) -> dict[int, Run]:
    found: dict[int, Run] = {}
    for ids in chunks(runs):
        rows = store.rows(f"SELECT {COLUMNS} FROM runs WHERE id IN ({marks(len(ids))}) ORDER BY id", ids)
        found.update((run.id, run) for run in map(Run._make, rows))
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


def ended_without_result(store: Store, after: int, limit: int) -> tuple[list[Undecided], int | None]:
    """Of the next `limit` runs after the id `after` those of instants whose end no entry tells, which there
    may not be: of backfills, and of ticks that ran and did not succeed; and the last looked at, None at the
    end."""
    last: int | None = store.value(
        "SELECT max(id) FROM (SELECT id FROM runs WHERE id > ? ORDER BY id LIMIT ?)", (after, limit)
    )
    of_run = "ledger l INDEXED BY ledger_job WHERE l.job = r.job AND l.first_ms = r.tick_ms AND l.run = r.id"
    rows = store.rows(
        "SELECT r.id, r.job, r.trigger, r.tick_ms, r.due_ms FROM runs r WHERE r.id > ? AND r.id <= ?"
        " AND r.tick_ms IS NOT NULL AND r.finished_ms IS NOT NULL AND (r.cause = 'backfill'"
        " OR (r.cause IN ('tick', 'catchup') AND r.state <> 'succeeded'"
        f" AND EXISTS (SELECT 1 FROM {of_run} AND l.outcome = 'ran' AND l.trigger > 0)))"
        f" AND NOT EXISTS (SELECT 1 FROM {of_run} AND l.trigger = 0) ORDER BY r.id",
        (after, last),
    )
    return [Undecided._make(row) for row in rows], last


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
