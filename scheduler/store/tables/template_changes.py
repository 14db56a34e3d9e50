"""Templates that were changed, of which jobs have yet to follow: a row each, with how far they have come."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class TemplateChange(NamedTuple):
    namespace: str
    name: str
    idx: int  #: of the newest change, or of a job that came late
    after_namespace: str
    after_name: str


COLUMNS = ", ".join(TemplateChange._fields)


def begin(store: Store, namespace: str, name: str, idx: int) -> None:
    """From the first of its jobs on."""
    store.write(
        f"INSERT OR REPLACE INTO template_changes ({COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        (namespace, name, idx, "", ""),
    )


def first(store: Store) -> TemplateChange | None:
    row = store.row(f"SELECT {COLUMNS} FROM template_changes ORDER BY namespace, name LIMIT 1")
    return None if row is None else TemplateChange._make(row)


def get(store: Store, namespace: str, name: str) -> TemplateChange | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM template_changes WHERE namespace = ? AND name = ?", (namespace, name)
    )
    return None if row is None else TemplateChange._make(row)


def move(store: Store, row: TemplateChange) -> None:
    store.write(
        "UPDATE template_changes SET after_namespace = ?, after_name = ? WHERE namespace = ? AND name = ?",
        (row.after_namespace, row.after_name, row.namespace, row.name),
    )


def drop(store: Store, namespace: str, name: str) -> None:
    store.write("DELETE FROM template_changes WHERE namespace = ? AND name = ?", (namespace, name))
