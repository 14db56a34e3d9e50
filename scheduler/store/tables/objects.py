"""Objects of all kinds and their revisions."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Object(NamedTuple):
    kind: str
    namespace: str
    name: str
    revision: int
    labels: str
    source: str
    created_ms: int
    changed_ms: int
    actor: str
    spec: bytes
    pin: str = ""
    per_day: int = 0


class ObjectRevision(NamedTuple):
    kind: str
    namespace: str
    name: str
    revision: int
    spec: bytes
    stamp_ms: int
    idx: int
    actor: str
    deleted: int


COLUMNS = ", ".join(Object._fields)
REVISION_COLUMNS = ", ".join(ObjectRevision._fields)
_NAMED = "kind = ? AND namespace = ? AND name = ?"


def find(store: Store, kind: str, namespace: str, name: str) -> Object | None:
    row = store.row(f"SELECT {COLUMNS} FROM objects WHERE {_NAMED}", (kind, namespace, name))
    return None if row is None else Object._make(row)


def exists(store: Store, kind: str, namespace: str, name: str) -> bool:
    return store.value(f"SELECT 1 FROM objects WHERE {_NAMED}", (kind, namespace, name)) is not None


def revision_of(store: Store, kind: str, namespace: str, name: str) -> int | None:
    """The newest; None: there is no such object."""
    found: int | None = store.value(f"SELECT revision FROM objects WHERE {_NAMED}", (kind, namespace, name))
    return found


def pin_of(store: Store, kind: str, namespace: str, name: str) -> str | None:
    """Of what triggers hold of it; None: there is no such object."""
    found: str | None = store.value(f"SELECT pin FROM objects WHERE {_NAMED}", (kind, namespace, name))
    return found


def last_revision(store: Store, kind: str, namespace: str, name: str) -> int:
    """The highest revision that this name ever had; 0: none."""
    last = store.value(f"SELECT max(revision) FROM object_revisions WHERE {_NAMED}", (kind, namespace, name))
    return int(last or 0)


def owned_after(
    store: Store, source: str, after: tuple[str, str, str], limit: int
) -> list[tuple[str, str, str]]:
    """What came from a source, by kind, namespace and name, behind this one."""
    rows = store.rows(
        "SELECT kind, namespace, name FROM objects WHERE source = ? AND source <> ''"
        " AND (kind, namespace, name) > (?, ?, ?) ORDER BY kind, namespace, name LIMIT ?",
        (source, *after, limit),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def put(store: Store, row: Object) -> None:
    marks = ", ".join("?" * len(row))
    store.write(f"INSERT OR REPLACE INTO objects ({COLUMNS}) VALUES ({marks})", row)


def own(store: Store, kind: str, namespace: str, name: str, source: str) -> None:
    """It comes from this source from now on, as it is."""
    store.write(f"UPDATE objects SET source = ? WHERE {_NAMED}", (source, kind, namespace, name))


def delete(store: Store, kind: str, namespace: str, name: str) -> None:
    store.write(f"DELETE FROM objects WHERE {_NAMED}", (kind, namespace, name))


def insert_revision(store: Store, revision: ObjectRevision) -> None:
    marks = ", ".join("?" * len(revision))
    store.write(f"INSERT INTO object_revisions ({REVISION_COLUMNS}) VALUES ({marks})", revision)


def spec_of(store: Store, kind: str, namespace: str, name: str, revision: int) -> bytes | None:
    spec: bytes | None = store.value(
        f"SELECT spec FROM object_revisions WHERE {_NAMED} AND revision = ?",
        (kind, namespace, name, revision),
    )
    return spec
