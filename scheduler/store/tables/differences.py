"""That the ledger differs from what was due, as the leader's own look has found: one row, or none."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Difference(NamedTuple):
    since_ms: int
    problems: int
    kind: str  #: of `scheduler.verify`
    job: int  #: 0: of no single one
    at_ms: int
    detail: str


COLUMNS = ", ".join(Difference._fields)


def get(store: Store) -> Difference | None:
    row = store.row(f"SELECT {COLUMNS} FROM difference WHERE id = 1")
    return None if row is None else Difference._make(row)


def put(store: Store, row: Difference) -> None:
    store.write(f"INSERT OR REPLACE INTO difference (id, {COLUMNS}) VALUES (1, ?, ?, ?, ?, ?, ?)", row)


def drop(store: Store) -> None:
    store.write("DELETE FROM difference")
