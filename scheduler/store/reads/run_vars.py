"""The vars that runs began with, as they were then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import chunks, marks


class Begun(NamedTuple):
    run: int
    namespace: str
    name: str
    revision: int
    spec: bytes


_BEGUN = (
    "SELECT v.run, v.namespace, v.name, v.revision, o.spec FROM run_vars v CROSS JOIN object_revisions o"
    " ON o.kind = 'vars' AND o.namespace = v.namespace AND o.name = v.name AND o.revision = v.revision"
)


def of_runs(store: Store, runs: Iterable[int]) -> dict[int, list[Begun]]:
    """Of each run that has any, in the order of its job."""
    found: dict[int, list[Begun]] = {}
    for ids in chunks(runs):
        for row in store.rows(f"{_BEGUN} WHERE v.run IN ({marks(len(ids))}) ORDER BY v.run, v.place", ids):
            found.setdefault(row[0], []).append(Begun._make(row))
    return found
