"""Sources as the leader looks at them: what they say, what was asked of them, what they own."""

from __future__ import annotations

from typing import Any, NamedTuple

from scheduler.model.quantities import parse_duration_ms
from scheduler.store.connection import Store
from scheduler.store.tables.refs import Named
from scheduler.store.tables.sources import KIND

SOURCES_MAX = 1_000
OWNED_MAX = 200_000


class Looked(NamedTuple):
    namespace: str
    name: str
    spec: bytes
    revision: int
    of_revision: int  #: that was looked at
    asked: int
    answered: int


_SELECT = (
    "SELECT o.namespace, o.name, o.spec, o.revision, coalesce(s.of_revision, 0), coalesce(s.asked, 0),"
    " coalesce(s.answered, 0) FROM objects o"
    " LEFT JOIN sources s ON s.namespace = o.namespace AND s.name = o.name"
)


def all_of(store: Store) -> list[Looked]:
    rows = store.rows(f"{_SELECT} WHERE o.kind = ? ORDER BY o.namespace, o.name LIMIT ?", (KIND, SOURCES_MAX))
    return [Looked._make(row) for row in rows]


def one(store: Store, namespace: str, name: str) -> Looked | None:
    row = store.row(f"{_SELECT} WHERE o.kind = ? AND o.namespace = ? AND o.name = ?", (KIND, namespace, name))
    return None if row is None else Looked._make(row)


def every_s(given: dict[str, Any]) -> float:
    return parse_duration_ms(given["every"]) / 1000


def touched(store: Store, source: str, idx: int) -> tuple[list[tuple[Named, int]], int]:
    """What comes from it and was put behind this index, at which revision; and how much comes from it."""
    rows = store.rows(
        "SELECT o.kind, o.namespace, o.name, o.revision, r.idx > ?1 FROM objects o"
        " JOIN object_revisions r ON r.kind = o.kind AND r.namespace = o.namespace AND r.name = o.name"
        " AND r.revision = o.revision WHERE o.source = ?2 AND o.source <> ''"
        " UNION ALL SELECT 'job', j.namespace, j.name, j.revision, r.idx > ?1 FROM jobs j"
        " JOIN revisions r ON r.job = j.id AND r.revision = j.revision"
        " WHERE j.source = ?2 AND j.source <> '' ORDER BY 1, 2, 3 LIMIT ?3",
        (idx, source, OWNED_MAX),
    )
    return [(Named(*row[:3]), row[3]) for row in rows if row[4]], len(rows)


def owned(store: Store, source: str) -> set[Named]:
    rows = store.rows(
        "SELECT kind, namespace, name FROM objects WHERE source = ?1 AND source <> ''"
        " UNION ALL SELECT 'job', namespace, name FROM jobs WHERE source = ?1 AND source <> ''"
        " ORDER BY 1, 2, 3 LIMIT ?2",
        (source, OWNED_MAX),
    )
    return {Named._make(row) for row in rows}
