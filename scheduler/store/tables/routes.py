"""Routes by the namespace of whose jobs they are, beside the objects that say them."""

from __future__ import annotations

from scheduler.store.connection import Store

EVERYWHERE = ""
ROUTES_MAX = 500  #: of one namespace, and of all together


def put(store: Store, namespace: str, name: str, *, everywhere: bool) -> None:
    drop(store, namespace, name)
    covers = EVERYWHERE if everywhere else namespace
    store.write("INSERT INTO routes (covers, namespace, name) VALUES (?, ?, ?)", (covers, namespace, name))


def drop(store: Store, namespace: str, name: str) -> None:
    store.write("DELETE FROM routes WHERE namespace = ? AND name = ?", (namespace, name))


def covers(store: Store, namespace: str, name: str) -> str | None:
    """The namespace of whose jobs it is, or EVERYWHERE; None: there is no such route."""
    found: str | None = store.value(
        "SELECT covers FROM routes WHERE namespace = ? AND name = ?", (namespace, name)
    )
    return found


def count(store: Store, of: str) -> int:
    found: int = store.value("SELECT count(*) FROM routes WHERE covers = ?", (of,))
    return found


def covering(store: Store, namespace: str) -> list[tuple[str, str]]:
    """Namespace and name of the routes that jobs of this namespace may go by."""
    rows = store.rows(
        "SELECT namespace, name FROM routes WHERE covers IN ('', ?) ORDER BY covers, namespace, name LIMIT ?",
        (namespace, 2 * ROUTES_MAX),
    )
    return [(home, name) for home, name in rows]
