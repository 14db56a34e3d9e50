"""The vars that a run began with: which revision of each."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class RunVars(NamedTuple):
    run: int
    place: int  #: in its job's list
    namespace: str
    name: str
    revision: int


COLUMNS = ", ".join(RunVars._fields)


def insert(store: Store, row: RunVars) -> None:
    store.write(f"INSERT INTO run_vars ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", row)


def purge(store: Store, run: int) -> None:
    store.write("DELETE FROM run_vars WHERE run = ?", (run,))
