"""What jobs mean and perhaps should not, as replies tell it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scheduler.model import Job
from scheduler.model.cautions import cautions
from scheduler.store.connection import Store
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.refs import Named
from scheduler.store.tables.sources import KIND

WARNINGS_MAX = 200  #: in one reply


EDIT_THERE = "Edit it there: else the source undoes it, or shows it as drift."


def by_hand(store: Store, items: Iterable[Named], source: str) -> list[dict[str, Any]]:
    """Of what comes from a source, and is edited by hand where that may be."""
    found: list[dict[str, Any]] = []
    for what in items if not source else ():
        owner = owner_of(store, what)
        if owner:
            detail = f"{what} comes from source {owner}"
            found.append({**what._asdict(), "pointer": "", "detail": detail, "hint": EDIT_THERE})
    return found[:WARNINGS_MAX]


def owner_of(store: Store, what: Named) -> str:
    """The source that is there and owns it; empty: none."""
    row = job_rows.find(store, *what[1:]) if what.kind == "job" else object_rows.find(store, *what)
    if row is None or "/" not in row.source:
        return ""
    return row.source if object_rows.exists(store, KIND, *row.source.split("/", 1)) else ""


def warnings_of(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """The first WARNINGS_MAX."""
    found: list[dict[str, Any]] = []
    for job in jobs:
        found += [
            {
                "kind": "job", "namespace": job.namespace, "name": job.name, "pointer": each.pointer,
                "detail": each.detail, "hint": each.hint,
            }
            for each in cautions(job)
        ]  # fmt: skip
        if len(found) >= WARNINGS_MAX:
            break
    return found[:WARNINGS_MAX]
