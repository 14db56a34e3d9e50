"""Timeouts of runs that stand still while only work in the state remains: one row a run, of such alone."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Clock(NamedTuple):
    moving: int  #: tasks that wait for an agent or a retry, or are on one
    left_ms: int | None  #: while it stands still: what is left of the timeout


def get(store: Store, run: int) -> Clock | None:
    row = store.row("SELECT moving, left_ms FROM clocks WHERE run = ?", (run,))
    return None if row is None else Clock._make(row)


def put(store: Store, run: int, clock: Clock) -> None:
    store.write("INSERT OR REPLACE INTO clocks (run, moving, left_ms) VALUES (?, ?, ?)", (run, *clock))


def drop(store: Store, run: int) -> None:
    store.write("DELETE FROM clocks WHERE run = ?", (run,))
