"""Secrets, encrypted, and the key that they are encrypted with, by its id."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.words.json_text import json_text


class Secret(NamedTuple):
    """All that may be told of it: `sealed` is asked for by itself."""

    namespace: str
    name: str
    version: int
    key: str
    grants: str
    created_ms: int
    changed_ms: int
    actor: str

    @property
    def patterns(self) -> list[str]:
        """Of the jobs that may use it."""
        found: list[str] = json.loads(self.grants)
        return found


COLUMNS = ", ".join(Secret._fields)


def grants_text(patterns: Iterable[str]) -> str:
    return json_text(sorted(dict.fromkeys(patterns))).decode()


def find(store: Store, namespace: str, name: str) -> Secret | None:
    row = store.row(f"SELECT {COLUMNS} FROM secrets WHERE namespace = ? AND name = ?", (namespace, name))
    return None if row is None else Secret._make(row)


def names(store: Store, namespace: str, limit: int) -> list[str]:
    """The first ones of a namespace."""
    rows = store.rows(
        "SELECT name FROM secrets WHERE namespace = ? ORDER BY name LIMIT ?", (namespace, limit)
    )
    return [row[0] for row in rows]


def put(store: Store, secret: Secret, sealed: bytes) -> None:
    marks = ", ".join("?" * len(Secret._fields))
    store.write(f"INSERT OR REPLACE INTO secrets ({COLUMNS}, sealed) VALUES ({marks}, ?)", (*secret, sealed))


def set_grants(store: Store, secret: Secret) -> None:
    store.write(
        "UPDATE secrets SET grants = ?, changed_ms = ?, actor = ? WHERE namespace = ? AND name = ?",
        (secret.grants, secret.changed_ms, secret.actor, secret.namespace, secret.name),
    )


def reseal(store: Store, namespace: str, name: str, *, version: int, key: str, sealed: bytes) -> None:
    """Unless it has another value by now."""
    store.write(
        "UPDATE secrets SET key = ?, sealed = ? WHERE namespace = ? AND name = ? AND version = ?",
        (key, sealed, namespace, name, version),
    )


def delete(store: Store, namespace: str, name: str) -> None:
    store.write("DELETE FROM secrets WHERE namespace = ? AND name = ?", (namespace, name))


def key(store: Store) -> str | None:
    """Id of the key that new values are encrypted with; None: there was no secret yet."""
    found: str | None = store.value("SELECT key FROM sealing WHERE id = 1")
    return found


def set_key(store: Store, key: str) -> None:
    store.write("INSERT OR REPLACE INTO sealing (id, key) VALUES (1, ?)", (key,))
