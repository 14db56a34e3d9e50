"""What the plan of a day asks: which jobs a namespace has and had."""

from __future__ import annotations

from scheduler.store.connection import Store


def next_name(store: Store, namespace: str, after: str) -> str | None:
    """The name after this one that a job of the namespace has or had: one step of the index."""
    name: str | None = store.value(
        "SELECT name FROM revisions WHERE namespace = ? AND name > ? ORDER BY name LIMIT 1",
        (namespace, after),
    )
    return name
