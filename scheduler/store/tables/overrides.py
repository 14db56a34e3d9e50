"""Verdicts of persons over runs that have ended. A row goes with its run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import while_none

_ANY = "SELECT run FROM overrides LIMIT 1"


class Override(NamedTuple):
    run: int
    verdict: str  #: succeeded | failed: as what it counts
    at_ms: int
    actor: str
    reason: str


COLUMNS = ", ".join(Override._fields)


def put(store: Store, override: Override) -> None:
    store.kept.unnote("overrides", _ANY, ())
    store.write(f"INSERT OR REPLACE INTO overrides ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", override)


def get(store: Store, run: int) -> Override | None:
    row = store.row(f"SELECT {COLUMNS} FROM overrides WHERE run = ?", (run,))
    return None if row is None else Override._make(row)


def of_runs(store: Store, runs: Sequence[int]) -> list[Override]:
    marks = ", ".join("?" * len(runs))
    rows = store.rows(f"SELECT {COLUMNS} FROM overrides WHERE run IN ({marks}) ORDER BY run", runs)
    return [Override._make(row) for row in rows]


def purge(store: Store, run: int) -> None:
    # Each run that goes asks for it, and hardly ever is there any.
    if store.kept.note("overrides", _ANY, (), keeps=while_none) is None:
        store.kept.tell((run,))
    else:
        store.write("DELETE FROM overrides WHERE run = ?", (run,))
