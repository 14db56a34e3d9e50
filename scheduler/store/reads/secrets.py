"""Secrets as people list them, and as they are encrypted anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import among
from scheduler.store.tables.secrets import COLUMNS, Secret


class Sealed(NamedTuple):
    namespace: str
    name: str
    version: int
    key: str
    sealed: bytes


_SEALED = ", ".join(Sealed._fields)


def sealed(store: Store, namespace: str, name: str) -> Sealed | None:
    row = store.row(f"SELECT {_SEALED} FROM secrets WHERE namespace = ? AND name = ?", (namespace, name))
    return None if row is None else Sealed._make(row)


def page(
    store: Store, *, after: tuple[str, str], limit: int, namespaces: Sequence[str] | None
) -> list[Secret]:
    """In the order of their names, from behind that one; of all namespaces where None is asked for."""
    of_namespaces, names = among("namespace", namespaces)
    rows = store.rows(
        f"SELECT {COLUMNS} FROM secrets WHERE (namespace, name) > (?, ?){of_namespaces}"
        " ORDER BY namespace, name LIMIT ?",
        (*after, *names, limit),
    )
    return [Secret._make(row) for row in rows]


def keys(store: Store) -> list[str]:
    """The ids of keys that any secret is encrypted with, by their order: a step of the index each."""
    found: list[str] = []
    key = ""
    while key := store.value("SELECT min(key) FROM secrets WHERE key > ?", (key,)):
        found.append(key)
    return found


def of_other_keys(store: Store, key: str, limit: int) -> list[Sealed]:
    """The first ones that are not encrypted with this key."""
    rows = store.rows(
        f"SELECT {_SEALED} FROM secrets WHERE key < ? OR key > ? ORDER BY key, namespace, name LIMIT ?",
        (key, key, limit),
    )
    return [Sealed._make(row) for row in rows]
