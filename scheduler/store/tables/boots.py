"""Boots of hosts whose startup triggers have not all fired yet: one row an agent, its newest boot.

The triggers that listen to its pool come in the order of their delays (`store.triggers.listening`);
`offset_ms` and `trigger` are the place of the last one that was looked at.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Boot(NamedTuple):
    agent: int
    boot_id: str
    pool: str
    seen_ms: int
    missed: str
    offset_ms: int
    trigger: int
    at_ms: int


COLUMNS = ", ".join(Boot._fields)


def get(store: Store, agent: int) -> Boot | None:
    row = store.row(f"SELECT {COLUMNS} FROM boots WHERE agent = ?", (agent,))
    return None if row is None else Boot._make(row)


def put(store: Store, boot: Boot) -> None:
    """In place of an earlier boot of this agent, if there is one."""
    marks = ", ".join("?" * len(Boot._fields))
    store.write(f"INSERT OR REPLACE INTO boots ({COLUMNS}) VALUES ({marks})", boot)


def drop(store: Store, agent: int) -> None:
    store.write("DELETE FROM boots WHERE agent = ?", (agent,))


def look_again(store: Store, pool: str) -> None:
    """A trigger listens to this pool that did not before, or with another delay: those that wait for a later
    one look at all of them again."""
    store.write("UPDATE boots SET offset_ms = -1, trigger = 0, at_ms = seen_ms WHERE pool = ?", (pool,))


def due(store: Store, now_ms: int, limit: int) -> list[Boot]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM boots WHERE at_ms <= ? ORDER BY at_ms, agent LIMIT ?", (now_ms, limit)
    )
    return [Boot._make(row) for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(at_ms) FROM boots")
    return first
