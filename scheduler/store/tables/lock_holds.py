"""Who holds how much of which resource, and how much of each is held or spent."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Hold(NamedTuple):
    holder: str  #: run | task
    id: int  #: of the run, or the task
    resource: str
    run: int
    amount: int
    since_ms: int


class Use(NamedTuple):
    """Of one resource."""

    held: int
    spent: int  #: of a rate, as it was at `at_ms` (`machine.rules.amounts`)
    at_ms: int


NONE = Use(0, 0, 0)
COLUMNS = ", ".join(Hold._fields)


def use_of(store: Store, resource: str) -> Use:
    row = store.row("SELECT held, spent, at_ms FROM resource_uses WHERE resource = ?", (resource,))
    return NONE if row is None else Use._make(row)


def held_between(store: Store, first: str, last: str) -> list[tuple[str, int]]:
    """Of resources with names between these two, those of which something is held, and how much."""
    rows = store.rows(
        "SELECT resource, held FROM resource_uses WHERE resource > ? AND resource < ? ORDER BY resource",
        (first, last),
    )
    return [(row[0], row[1]) for row in rows]


def set_use(store: Store, resource: str, use: Use) -> None:
    if use.held or use.spent:
        store.write(
            "INSERT OR REPLACE INTO resource_uses (resource, held, spent, at_ms) VALUES (?, ?, ?, ?)",
            (resource, *use),
        )
    else:
        store.write("DELETE FROM resource_uses WHERE resource = ?", (resource,))


def holds(store: Store, holder: str, id: int) -> bool:
    """Whether it holds anything."""
    found = store.value("SELECT 1 FROM lock_holds WHERE holder = ? AND id = ? LIMIT 1", (holder, id))
    return found is not None


def of(store: Store, holder: str, id: int) -> list[Hold]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM lock_holds WHERE holder = ? AND id = ? ORDER BY resource", (holder, id)
    )
    return [Hold._make(row) for row in rows]


def on(store: Store, resource: str, limit: int, after: tuple[int, str, int] = (0, "", 0)) -> list[Hold]:
    """Who holds some of it, longest first, behind (since, holder, id)."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM lock_holds WHERE resource = ? AND amount > 0"
        " AND (since_ms, holder, id) > (?, ?, ?) ORDER BY since_ms, holder, id LIMIT ?",
        (resource, *after, limit),
    )
    return [Hold._make(row) for row in rows]


def insert(store: Store, hold: Hold) -> None:
    store.write(f"INSERT INTO lock_holds ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", hold)


def drop(store: Store, holder: str, id: int) -> None:
    store.write("DELETE FROM lock_holds WHERE holder = ? AND id = ?", (holder, id))
