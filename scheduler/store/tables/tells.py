"""Tasks that ended, and groups that began, of whose dependents not all were told yet: what a command left to
the next ones."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import while_none


class Tell(NamedTuple):
    place: int  #: of the task, in the graph
    state: str
    told: int  #: how many of its dependents were told, in the graph's order


def put(store: Store, run: int, tell: Tell) -> None:
    store.write("INSERT OR REPLACE INTO tells (run, place, state, told) VALUES (?, ?, ?, ?)", (run, *tell))


def of_run(store: Store, run: int, limit: int) -> list[Tell]:
    rows = store.rows(
        "SELECT place, state, told FROM tells WHERE run = ? ORDER BY place LIMIT ?", (run, limit)
    )
    return [Tell._make(row) for row in rows]


def has(store: Store, run: int, place: int) -> bool:
    return store.value("SELECT 1 FROM tells WHERE run = ? AND place = ?", (run, place)) is not None


def drop_one(store: Store, run: int, place: int) -> None:
    store.write("DELETE FROM tells WHERE run = ? AND place = ?", (run, place))


def drop(store: Store, run: int) -> None:
    # The end of each run asks for it, and hardly ever is there any.
    if store.kept.note("tells", "SELECT run FROM tells LIMIT 1", (), keeps=while_none) is None:
        store.kept.tell((run,))
    else:
        store.write("DELETE FROM tells WHERE run = ?", (run,))


def any_of(store: Store, run: int) -> bool:
    return store.value("SELECT 1 FROM tells WHERE run = ? LIMIT 1", (run,)) is not None
