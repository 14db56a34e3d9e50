"""Ends of runs that triggers wait for, as whoever proves their firings reads them."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.store.connection import Store
from scheduler.store.tables.ends import COLUMNS, End


def listening(store: Store, after: int, limit: int) -> list[int]:
    """Triggers that hear or heard of ends, after the id `after`."""
    rows = store.rows(
        "SELECT DISTINCT trigger FROM listeners WHERE trigger > ? ORDER BY trigger LIMIT ?", (after, limit)
    )
    return [row[0] for row in rows]


def gathering(store: Store, after: int, limit: int) -> list[int]:
    """Triggers that hear or heard of ends or notices, after the id `after`."""
    rows = store.rows(
        "SELECT trigger FROM listeners WHERE trigger > ? UNION SELECT trigger FROM hearers WHERE trigger > ?"
        " ORDER BY trigger LIMIT ?",
        (after, after, limit),
    )
    return [row[0] for row in rows]


def of_parents(store: Store, parents: Sequence[str], after: int, through: int, limit: int) -> list[End]:
    """The next ends of these jobs in (after, through], in order."""
    found: list[End] = []
    for parent in parents:
        rows = store.rows(
            f"SELECT {COLUMNS} FROM ends INDEXED BY ends_parent WHERE parent = ? AND id > ? AND id <= ?"
            " ORDER BY id LIMIT ?",
            (parent, after, through, limit),
        )
        found += [End._make(row) for row in rows]
    return sorted(found)[:limit]


def of_runs(store: Store, runs: Sequence[int]) -> list[End]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM ends WHERE run IN ({', '.join('?' * len(runs))}) ORDER BY id", runs
    )
    return [End._make(row) for row in rows]


def consumed(store: Store, job: int, trigger: int, until_ms: int) -> int | None:
    """The newest end that a run of this trigger consumed which is known to have begun by then."""
    entry = store.row(
        "SELECT key, first_ms FROM ledger WHERE trigger = ? AND first_ms <= ? AND job = ? AND outcome = 'ran'"
        " ORDER BY first_ms DESC, seq DESC LIMIT 1",
        (trigger, until_ms, job),
    )
    if entry is None:
        return None
    key, due_ms = entry
    runs = [int(run) for run in key.rpartition("/")[2].split(",")]
    end: int | None = store.value(
        f"SELECT max(id) FROM ends WHERE run IN ({', '.join('?' * len(runs))})"
        " AND (verdict = 0 OR at_ms <= ?)",  # a later verdict is none that it consumed
        (*runs, due_ms),
    )
    return end
