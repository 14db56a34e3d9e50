"""What is known of attempts that somebody outside completes: when their process ended, who completed them as
what, how far they are. A row is made when there is something to know, and goes with its run."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

SUCCEEDED, FAILED = "succeeded", "failed"
OUTCOMES = (SUCCEEDED, FAILED)


class Completion(NamedTuple):
    attempt: int
    run: int
    exited_ms: int | None = None  #: when its process ended, well
    warned: int = 0  #: 1: with a warning
    given: bytes = b""  #: by its process to the tasks after it
    outcome: str = ""  #: succeeded | failed; empty: nobody has completed it
    message: str = ""
    outputs: bytes = b""  #: that came with the outcome
    actor: str = ""  #: whose word it is; empty: by its own token
    answered_ms: int | None = None
    percent: int | None = None
    doing: str = ""
    told_ms: int | None = None  #: when it last told how far it is


_HERE = frozenset({"completions"})  #: hardly any cluster has some
COLUMNS = ", ".join(Completion._fields)
_PUT = f"INSERT OR REPLACE INTO completions ({COLUMNS}) VALUES ({', '.join('?' * len(Completion._fields))})"


def get(store: Store, attempt: int, run: int) -> Completion:
    """Of an attempt of which nothing is known there is no row."""
    if store.kept.are_empty(_HERE):
        return Completion(attempt, run)
    row = store.row(f"SELECT {COLUMNS} FROM completions WHERE attempt = ?", (attempt,))
    return Completion(attempt, run) if row is None else Completion._make(row)


def put(store: Store, row: Completion) -> None:
    store.write(_PUT, row)


def purge(store: Store, run: int, limit: int) -> int:
    """Drop the first of a run, as many as that; how many went."""
    if store.kept.are_empty(_HERE):
        return 0
    return store.write(
        "DELETE FROM completions WHERE attempt IN"
        " (SELECT attempt FROM completions WHERE run = ? ORDER BY attempt LIMIT ?)",
        (run, limit),
    )
