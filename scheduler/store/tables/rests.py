"""How the rest of a run ended that does what it does finally."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Rest(NamedTuple):
    run: int
    state: str
    exit_code: int | None
    reason: str
    ended_ms: int


def get(store: Store, run: int) -> Rest | None:
    row = store.row("SELECT run, state, exit_code, reason, ended_ms FROM rests WHERE run = ?", (run,))
    return None if row is None else Rest._make(row)


def insert(store: Store, rest: Rest) -> None:
    sql = "INSERT INTO rests (run, state, exit_code, reason, ended_ms) VALUES (?, ?, ?, ?, ?)"
    store.write(sql, rest, row=("rests", rest.run))


def drop(store: Store, run: int) -> None:
    store.write("DELETE FROM rests WHERE run = ?", (run,), row=("rests", run))
