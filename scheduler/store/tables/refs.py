"""Which job or object refers to which object. Both are known by kind, namespace and name: `Named`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store


class Named(NamedTuple):
    kind: str  #: `job`, or an object's
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def of(store: Store, who: Named) -> list[Named]:
    """What it refers to."""
    rows = store.rows(
        "SELECT to_kind, to_namespace, to_name FROM refs WHERE kind = ? AND namespace = ? AND name = ?"
        " ORDER BY to_kind, to_namespace, to_name",
        who,
    )
    return [Named._make(row) for row in rows]


def to(store: Store, what: Named, limit: int, after: Named | None = None) -> list[Named]:
    """Who refers to it, in the order of their names."""
    rows = store.rows(
        "SELECT kind, namespace, name FROM refs WHERE to_kind = ? AND to_namespace = ? AND to_name = ?"
        " AND (kind, namespace, name) > (?, ?, ?) ORDER BY kind, namespace, name LIMIT ?",
        (*what, *(after or ("", "", "")), limit),
    )
    return [Named._make(row) for row in rows]


def set_of(store: Store, who: Named, targets: Sequence[tuple[str, str, str]]) -> None:
    """From now on it refers to these and to nothing else."""
    known = dict.fromkeys(of(store, who))
    wanted = dict.fromkeys(map(Named._make, targets))
    for target in known:
        if target not in wanted:
            store.write(
                "DELETE FROM refs WHERE kind = ? AND namespace = ? AND name = ?"
                " AND to_kind = ? AND to_namespace = ? AND to_name = ?",
                (*who, *target),
            )
    for target in wanted:
        if target not in known:
            store.write(
                "INSERT INTO refs (kind, namespace, name, to_kind, to_namespace, to_name)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*who, *target),
            )
