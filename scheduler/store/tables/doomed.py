"""Attempts that are known to be dead and whose loss no command had room for yet."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Doomed(NamedTuple):
    attempt: int
    reason: str


def put(store: Store, attempt: int, reason: str) -> None:
    store.write("INSERT OR IGNORE INTO doomed (attempt, reason) VALUES (?, ?)", (attempt, reason))


def first(store: Store) -> Doomed | None:
    row = store.row("SELECT attempt, reason FROM doomed ORDER BY attempt LIMIT 1")
    return None if row is None else Doomed._make(row)


def drop(store: Store, attempt: int) -> None:
    store.write("DELETE FROM doomed WHERE attempt = ?", (attempt,))
