"""Names that stand near another: what somebody may have meant. Few rows, however many there are: those beside
it in the order of names, and the first ones."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.store.connection import Store

EACH_MAX = 100


def jobs(store: Store, namespace: str, name: str) -> list[str]:
    return _around(store, "jobs WHERE namespace = ?", (namespace,), name)


def objects(store: Store, kind: str, namespace: str, name: str) -> list[str]:
    return _around(store, "objects WHERE kind = ? AND namespace = ?", (kind, namespace), name)


def agents(store: Store, name: str) -> list[str]:
    return _around(store, "agents WHERE true", (), name)


def _around(store: Store, source: str, values: Sequence[str], name: str) -> list[str]:
    found: dict[str, None] = {}
    for where, order in (("name > ?", "name"), ("name < ?", "name DESC"), ("name <> ?", "name")):
        rows = store.rows(
            f"SELECT name FROM {source} AND {where} ORDER BY {order} LIMIT ?", (*values, name, EACH_MAX)
        )
        found.update(dict.fromkeys(row[0] for row in rows))
    return list(found)
