"""Which trigger hears of ends of which jobs: of an `after` trigger a row for each job that it names.

A trigger hears of the ends (from_end, until_end] of a job, by their numbers (`store.tables.ends`). Rows stay,
as eras of triggers do, so that verify can recompute what was heard.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import always

PAGE = 50
"""Triggers that one command looks at."""


class Listener(NamedTuple):
    trigger: int
    parent: str  #: namespace/name
    child: str  #: the trigger's job, likewise
    loose: int  #: 1: it may close a cycle
    from_end: int
    until_end: int | None  #: None: it still hears


COLUMNS = ", ".join(Listener._fields)
_HEARD = "SELECT 1 FROM listeners WHERE parent = ? AND until_end IS NULL LIMIT 1"


def insert(store: Store, listener: Listener) -> None:
    store.kept.unnote("listeners", _HEARD, (listener.parent,))
    store.write(f"INSERT INTO listeners ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", listener)


def close(store: Store, trigger: int, until_end: int) -> None:
    store.write(
        "UPDATE listeners SET until_end = ? WHERE trigger = ? AND until_end IS NULL", (until_end, trigger)
    )


def is_heard(store: Store, parent: str) -> bool:
    """Whether anything hears of this job's ends. Asked at the end of every run, so it is remembered."""
    return store.kept.note("listeners", _HEARD, (parent,), keeps=always) is not None


def hearing(store: Store, parent: str, end: int, after: int, limit: int) -> list[int]:
    """Triggers that hear of this end of the job, those after the id `after`."""
    rows = store.rows(
        "SELECT trigger FROM listeners INDEXED BY listeners_live WHERE parent = ? AND until_end IS NULL"
        " AND from_end < ? AND trigger > ? ORDER BY trigger LIMIT ?",
        (parent, end, after, limit),
    )
    return [row[0] for row in rows]


def count(store: Store, parent: str, after: int, limit: int) -> int:
    """Of the triggers that hear of the job, those after the id `after`; not counted beyond `limit`."""
    counted: int = store.value(
        "SELECT count(*) FROM (SELECT 1 FROM listeners INDEXED BY listeners_live"
        " WHERE parent = ? AND until_end IS NULL AND trigger > ? LIMIT ?)",
        (parent, after, limit),
    )
    return counted


def firm_parents(store: Store, child: str) -> list[str]:
    """The jobs of whose ends this job hears, where that may close no cycle."""
    rows = store.rows(
        "SELECT DISTINCT parent FROM listeners INDEXED BY listeners_child"
        " WHERE child = ? AND until_end IS NULL AND loose = 0 ORDER BY parent",
        (child,),
    )
    return [row[0] for row in rows]


def of_trigger(store: Store, trigger: int) -> list[Listener]:
    rows = store.rows(f"SELECT {COLUMNS} FROM listeners WHERE trigger = ? ORDER BY parent", (trigger,))
    return [Listener._make(row) for row in rows]
