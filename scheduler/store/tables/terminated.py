"""Runs whose attempts are ended at once, without any grace (overlap: terminate_running). The row goes with
what it is about: the run's end, or before what it does finally."""

from __future__ import annotations

from scheduler.store.connection import Store

_TABLES = frozenset({"terminated"})


def has(store: Store, run: int) -> bool:
    if store.kept.are_empty(_TABLES):
        return False
    return store.value("SELECT 1 FROM terminated WHERE run = ?", (run,)) is not None


def note(store: Store, run: int) -> None:
    store.write("INSERT OR REPLACE INTO terminated (run) VALUES (?)", (run,), row=("terminated", run))


def drop(store: Store, run: int) -> None:
    if not store.kept.are_empty(_TABLES):
        store.write("DELETE FROM terminated WHERE run = ?", (run,), row=("terminated", run))
