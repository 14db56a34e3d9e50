"""Plan dates of namespaces that people have closed. `State.closed_dates` says whether there are any, so
that who asks while there are none reads nothing here."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

KEPT_MAX = 1_000  #: of a namespace


class ClosedDate(NamedTuple):
    namespace: str
    day: int
    at_ms: int
    reason: str
    actor: str


COLUMNS = ", ".join(ClosedDate._fields)


def get(store: Store, namespace: str, day: int) -> ClosedDate | None:
    row = store.row(f"SELECT {COLUMNS} FROM closed_dates WHERE namespace = ? AND day = ?", (namespace, day))
    return None if row is None else ClosedDate._make(row)


def forgotten_by(store: Store, namespace: str, day: int) -> int | None:
    """The day that is forgotten when this one is closed too; None: none is."""
    closed = of(store, namespace)
    return None if day in closed or len(closed) < KEPT_MAX else min(*closed, day)


def put(store: Store, row: ClosedDate) -> None:
    """Of its namespace the latest KEPT_MAX stay."""
    store.write(f"INSERT OR REPLACE INTO closed_dates ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", row)
    store.write(
        "DELETE FROM closed_dates WHERE namespace = ? AND day IN (SELECT day FROM closed_dates"
        " WHERE namespace = ? ORDER BY day DESC LIMIT -1 OFFSET ?)",
        (row.namespace, row.namespace, KEPT_MAX),
    )


def drop(store: Store, namespace: str, day: int) -> None:
    store.write("DELETE FROM closed_dates WHERE namespace = ? AND day = ?", (namespace, day))


def of(store: Store, namespace: str) -> frozenset[int]:
    """Its closed days."""
    rows = store.rows("SELECT day FROM closed_dates WHERE namespace = ? ORDER BY day", (namespace,))
    return frozenset([row[0] for row in rows])


def any_of_all(store: Store) -> bool:
    """Of any namespace."""
    return store.value("SELECT 1 FROM closed_dates LIMIT 1") is not None
