"""The JSON Schemas of shapes that no route of FastAPI's names."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from api.schemas import (
    answers,
    approvals,
    backfills,
    completions,
    dry_runs,
    holders,
    namespaces,
    notifications,
    reservations,
    sources,
)
from api.schemas.replies import Reply

MODULES = (
    answers, approvals, backfills, completions, dry_runs, holders, namespaces, notifications, reservations,
    sources,
)  # fmt: skip


def named_shapes() -> dict[str, dict[str, Any]]:
    """By name, with all that they consist of."""
    named = [
        each
        for module in MODULES
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Reply) and each is not Reply
    ]
    _, found = models_json_schema(
        [(model, "serialization") for model in named], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, dict[str, Any]] = found["$defs"]
    return schemas
