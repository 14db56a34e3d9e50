"""Active runs of jobs whose policy has a key (overlap: {key: …}): by which of their own they are judged.

A run keeps the key that it was made with. Where an edit brings a key in, the job's active runs get theirs by
that (`steps.keying`); the row goes with the run's end. Which runs have a key is asked by `tables.runs`. One
of before a restore, whose parameters nobody knows, has ANY: it is in the way of every other.
"""

from __future__ import annotations

from scheduler.store.connection import Store

_TABLES = frozenset({"overlap_keys"})


def of(store: Store, run: int) -> str | None:
    """None: it has none."""
    if store.kept.are_empty(_TABLES):
        return None
    key: str | None = store.value("SELECT key FROM overlap_keys WHERE run = ?", (run,))
    return key


def insert(store: Store, run: int, job: int, key: str) -> None:
    sql = "INSERT INTO overlap_keys (run, job, key) VALUES (?, ?, ?)"
    store.write(sql, (run, job, key), row=("overlap_keys", run))


def drop(store: Store, run: int) -> None:
    if not store.kept.are_empty(_TABLES):
        store.write("DELETE FROM overlap_keys WHERE run = ?", (run,), row=("overlap_keys", run))
