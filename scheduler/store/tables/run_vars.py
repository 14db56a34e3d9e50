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


def copy(store: Store, run: int, to: int) -> None:
    """Another run begins with the same."""
    store.write(
        f"INSERT INTO run_vars ({COLUMNS}) SELECT ?, place, namespace, name, revision FROM run_vars"
        " WHERE run = ? ORDER BY place",
        (to, run),
    )


def specs_of(store: Store, run: int) -> list[bytes]:
    """What they said when it began, in the order of its job's list."""
    rows = store.rows(
        "SELECT o.spec FROM run_vars v CROSS JOIN object_revisions o ON o.kind = 'vars'"
        " AND o.namespace = v.namespace AND o.name = v.name AND o.revision = v.revision"
        " WHERE v.run = ? ORDER BY v.place",
        (run,),
    )
    return [bytes(row[0]) for row in rows]


def purge(store: Store, run: int) -> None:
    store.write("DELETE FROM run_vars WHERE run = ?", (run,))
