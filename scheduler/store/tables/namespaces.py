"""What the machine judges by of namespaces that were declared, and how many jobs each namespace has.

What was written of a namespace, with its revisions, is an object (`tables.objects`) of the kind KIND that has
its own name as its namespace.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table

KIND = "namespace"


class Allowance(NamedTuple):
    name: str
    jobs_max: int | None
    pools: str  #: JSON list; of nothing: any

    @property
    def allowed_pools(self) -> tuple[str, ...]:
        return tuple(json.loads(self.pools))


class Count(NamedTuple):
    namespace: str
    jobs: int


ALLOWANCE = Table("namespaces", Allowance)
COUNT = Table("job_counts", Count)
_ANY = "SELECT 1 FROM namespaces LIMIT 1"


def allowance(store: Store, name: str) -> Allowance | None:
    """None: nothing was said of it, as of most."""
    if store.kept.note("namespaces", _ANY, (), keeps=lambda found: found is None) is None:
        return None
    return store.kept.get(ALLOWANCE, name)


def allow(store: Store, row: Allowance) -> None:
    store.write("INSERT OR REPLACE INTO namespaces (name, jobs_max, pools) VALUES (?, ?, ?)", row)


def forget(store: Store, name: str) -> None:
    store.write("DELETE FROM namespaces WHERE name = ?", (name,))


def count(store: Store, most: int) -> int:
    """How many were declared, up to `most`."""
    number: int = store.value("SELECT count(*) FROM (SELECT 1 FROM namespaces LIMIT ?)", (most,))
    return number


def jobs(store: Store, namespace: str) -> int:
    row = store.kept.get(COUNT, namespace)
    return 0 if row is None else row.jobs


def count_job(store: Store, namespace: str, change: int) -> None:
    """One more, or one less."""
    row = store.kept.get(COUNT, namespace)
    if row is None:
        store.kept.insert(COUNT, Count(namespace, change))
    else:
        store.kept.update(COUNT, namespace, (change, namespace), jobs=row.jobs + change)
        if row.jobs + change == 0:
            store.write("DELETE FROM job_counts WHERE namespace = ?", (namespace,))


def contents(store: Store, namespace: str, most: int) -> str:
    """What is in it, in words: jobs and objects; empty: nothing."""
    found = [(jobs(store, namespace), "job"), (objects(store, namespace, most), "object")]
    return " and ".join(f"{number} {what}{'s' * (number != 1)}" for number, what in found if number)


def objects(store: Store, namespace: str, most: int) -> int:
    """How many objects are in it, counted up to `most`: a step of the index for each kind."""
    found, kind = 0, ""
    while (kind := store.value("SELECT min(kind) FROM objects WHERE kind > ?", (kind,))) and found < most:
        if kind != KIND:
            found += store.value(
                "SELECT count(*) FROM (SELECT 1 FROM objects WHERE kind = ? AND namespace = ? LIMIT ?)",
                (kind, namespace, most - found),
            )
    return found
