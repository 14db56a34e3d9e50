"""Namespaces, as people look at them: those that were declared, and those that jobs name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from scheduler.store.connection import Store
from scheduler.store.tables import namespaces, quotas
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.namespaces import KIND
from scheduler.store.tables.objects import REVISION_COLUMNS, Object, ObjectRevision

BEHIND_ALL = 1 << 62
COUNTED_MAX = 1_000


class Namespace(NamedTuple):
    name: str
    declared: Object | None  #: None: it is there with its jobs
    jobs: int
    active: int  #: runs that count for its quota
    following: bool  #: jobs have yet to follow its defaults
    waiting: int  #: runs that wait until it may have one more, up to COUNTED_MAX

    @property
    def written(self) -> dict[str, Any]:
        found: dict[str, Any] = {} if self.declared is None else json.loads(self.declared.spec)
        return found


def find(store: Store, name: str) -> Namespace | None:
    declared, jobs = object_rows.find(store, KIND, name, name), namespaces.jobs(store, name)
    if declared is None and not jobs:
        return None
    row = namespaces.allowance(store, name)
    following = row is not None and row.revised is not None
    waiting = quotas.waiting(store, name, COUNTED_MAX)
    return Namespace(name, declared, jobs, namespaces.active(store, name), following, waiting)


def around(store: Store, names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """What those of these namespaces that say so run before and after each attempt."""
    if store.value("SELECT 1 FROM namespaces WHERE around <> '' LIMIT 1") is None:
        return {}
    rows = store.rows(
        "SELECT name, around FROM namespaces WHERE around <> '' AND name IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(set(names))),),
    )
    return {name: tuple(json.loads(text)) for name, text in rows}


def page(store: Store, after: str, limit: int) -> list[Namespace]:
    """Behind that name, by name."""
    names: set[str] = set()
    for source in ("name FROM namespaces WHERE name", "namespace FROM counts WHERE namespace"):
        rows = store.rows(f"SELECT {source} > ? ORDER BY 1 LIMIT ?", (after, limit))
        names.update(name for (name,) in rows)
    found = [find(store, name) for name in sorted(names)[:limit]]
    return [each for each in found if each is not None]


def revisions(store: Store, name: str, before: int | None, limit: int) -> list[ObjectRevision]:
    """Newest first."""
    rows = store.rows(
        f"SELECT {REVISION_COLUMNS} FROM object_revisions WHERE kind = ? AND namespace = ? AND name = ?"
        " AND revision < ? ORDER BY revision DESC LIMIT ?",
        (KIND, name, name, BEHIND_ALL if before is None else before, limit),
    )
    return [ObjectRevision._make(row) for row in rows]
