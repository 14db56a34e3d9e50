"""Restores of this state: which cluster it was, what is held for reconciliation, who has not reported yet.

Rules of this file:

1. The tables exist in a state that was restored at least once (`State.restores` > 0) and in no other: ask for
   nothing here before that number says so. `lineage` alone may be asked for always.
2. One row per restore, the newest counts. `taken_ms` and `until_ms` are written when the new cluster's first
   leader takes office: a state that lies on a shelf between restore and start must not lose its hold.
3. Phases: holding (what was due before `taken_ms` waits for the agents' journals) → settling (what nobody
   reported is decided, slice by slice) → done.
4. Every id and the index are raised by SPAN for each restore. So what the old cluster gave out after the
   backup never comes twice, and an id above a floor and up to its base is known to be of that time.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

SPAN = 1 << 40
"""How far the index and all ids are raised by one restore: more than a cluster ever counts."""

HOLDING, SETTLING, DONE = "holding", "settling", "done"

STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS restores (
        number INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,                 -- restore | recover
        lineage TEXT NOT NULL,              -- uid of the first cluster that this state was of
        former TEXT NOT NULL,               -- uid of the cluster that the backup was of
        idx INTEGER NOT NULL,               -- index of the backup
        run_floor INTEGER NOT NULL, attempt_floor INTEGER NOT NULL,  -- the last ids in the backup
        run_base INTEGER NOT NULL, attempt_base INTEGER NOT NULL,    -- the new cluster's ids are above these
        stamp_ms INTEGER NOT NULL,          -- last stamp of the backup
        hold_ms INTEGER NOT NULL,
        catchup INTEGER NOT NULL,           -- 1: catch-up policies decide what nobody reported
        phase TEXT NOT NULL,                -- holding | settling | done
        taken_ms INTEGER, until_ms INTEGER  -- NULL until the first leader's first command
    )
    """,
    # Agents that may have run something since the backup and have not told yet.
    "CREATE TABLE IF NOT EXISTS awaited (agent INTEGER PRIMARY KEY)",
    # What agents told of before its task was there: an attempt each, as it was told.
    """
    CREATE TABLE IF NOT EXISTS told_early (
        run INTEGER NOT NULL, task TEXT NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL,
        agent INTEGER NOT NULL, ran BLOB NOT NULL,
        PRIMARY KEY (run, task, round, attempt)
    ) WITHOUT ROWID
    """,
    # Ticks that an agent's journal proved ran and that have no entry in the ledger yet.
    "CREATE INDEX IF NOT EXISTS runs_orphans ON runs (job, tick_ms, id)"
    " WHERE cause = 'orphan' AND decided = 0",
)


class Restore(NamedTuple):
    number: int
    kind: str
    lineage: str
    former: str
    idx: int
    run_floor: int
    attempt_floor: int
    run_base: int
    attempt_base: int
    stamp_ms: int
    hold_ms: int
    catchup: int
    phase: str
    taken_ms: int | None
    until_ms: int | None


COLUMNS = ", ".join(Restore._fields)


def create_tables(store: Store) -> None:
    for statement in STATEMENTS:
        store.execute(statement)


def insert(store: Store, restore: Restore) -> None:
    marks = ", ".join("?" * len(Restore._fields))
    store.execute(f"INSERT INTO restores ({COLUMNS}) VALUES ({marks})", restore)


def latest(store: Store) -> Restore | None:
    row = store.row(f"SELECT {COLUMNS} FROM restores ORDER BY number DESC LIMIT 1")
    return None if row is None else Restore._make(row)


def current(store: Store) -> Restore | None:
    """The newest restore, of any state; None: there never was one."""
    return latest(store) if store.value("SELECT restores FROM state WHERE id = 1") else None


def lineage(store: Store) -> str:
    """Uid of the first cluster that this state was of: the same through all restores."""
    restore = current(store)
    found: str = (
        restore.lineage if restore is not None else store.value("SELECT cluster FROM state WHERE id = 1")
    )
    return found


def take(store: Store, number: int, *, taken_ms: int, until_ms: int) -> None:
    store.write(
        "UPDATE restores SET taken_ms = ?, until_ms = ? WHERE number = ?", (taken_ms, until_ms, number)
    )


def set_phase(store: Store, number: int, phase: str) -> None:
    store.write("UPDATE restores SET phase = ? WHERE number = ?", (phase, number))


def awaited(store: Store) -> int:
    """How many agents have not reported yet."""
    count: int = store.value("SELECT count(*) FROM awaited")
    return count


def reported(store: Store, agent: int) -> None:
    store.write("DELETE FROM awaited WHERE agent = ?", (agent,))


class Early(NamedTuple):
    """An attempt that an agent told of, whose task was not there yet."""

    run: int
    task: str
    round: int
    attempt: int
    agent: int
    ran: bytes  #: a RanAttempt


_EARLY = f"SELECT {', '.join(Early._fields)} FROM told_early"


def keep_early(store: Store, early: Early) -> None:
    marks = ", ".join("?" * len(Early._fields))
    store.write(f"INSERT OR REPLACE INTO told_early ({', '.join(Early._fields)}) VALUES ({marks})", early)


def drop_early(store: Store, early: Early) -> None:
    store.write(
        "DELETE FROM told_early WHERE run = ? AND task = ? AND round = ? AND attempt = ?", early[:4]
    )


def early(store: Store, limit: int) -> list[Early]:
    """The first of all."""
    rows = store.rows(f"{_EARLY} ORDER BY run, task, round, attempt LIMIT ?", (limit,))
    return [Early._make(row) for row in rows]


def next_early(store: Store, run: int, task: str, round: int) -> Early | None:
    """Of a run, the first that is of none of the tasks and rounds up to this one."""
    row = store.row(
        f"{_EARLY} WHERE run = ? AND (task, round) > (?, ?) ORDER BY task, round, attempt LIMIT 1",
        (run, task, round),
    )
    return None if row is None else Early._make(row)


def early_of(store: Store, run: int, task: str, round: int, limit: int) -> list[Early]:
    """The first of one task and round."""
    rows = store.rows(
        f"{_EARLY} WHERE run = ? AND task = ? AND round = ? ORDER BY attempt LIMIT ?",
        (run, task, round, limit),
    )
    return [Early._make(row) for row in rows]


class ProvenRun(NamedTuple):
    """A run of the old cluster that an agent's journal told of; its tick has no ledger entry yet."""

    id: int
    tick_ms: int


def proven(store: Store, job: int, from_ms: int, to_ms: int, limit: int) -> list[ProvenRun]:
    """Of a job, by instants in [from_ms, to_ms]."""
    rows = store.rows(
        "SELECT id, tick_ms FROM runs WHERE cause = 'orphan' AND decided = 0 AND job = ?"
        " AND tick_ms >= ? AND tick_ms <= ? ORDER BY tick_ms, id LIMIT ?",
        (job, from_ms, to_ms, limit),
    )
    return [ProvenRun._make(row) for row in rows]


def open_runs(store: Store, through: int, after: int, limit: int) -> list[int]:
    """Pending and running runs from before the restore with ids in (after, through], oldest first."""
    rows = store.rows(
        "SELECT id FROM runs INDEXED BY runs_state WHERE state IN ('pending', 'running')"
        " AND state <> 'succeeded' AND id > ? AND id <= ? AND cause <> 'orphan' ORDER BY id LIMIT ?",
        (after, through, limit),
    )
    return [row[0] for row in rows]
