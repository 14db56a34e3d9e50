"""What templates give, as they are stored."""

from __future__ import annotations

import json
from typing import Any

from scheduler.model.templates import KIND, Templates
from scheduler.store.connection import Store
from scheduler.store.tables import objects as object_rows


def of(store: Store) -> Templates:
    def gives(namespace: str, name: str) -> dict[str, Any] | None:
        row = object_rows.find(store, KIND, namespace, name)
        return None if row is None else given_by(row.spec)

    return gives


def given_by(spec: bytes) -> dict[str, Any]:
    """By the template of this text."""
    found: dict[str, Any] = json.loads(spec)["gives"]
    return found
