"""Rows of objects as JSON: the definition, and beside it what the server knows."""

from __future__ import annotations

import difflib
import json
from typing import Any

from api.near import near_miss
from api.problems import Problem
from api.revisions import changes_json
from scheduler.model.objects import NAMES
from scheduler.model.written import write_yaml
from scheduler.store.connection import Store
from scheduler.store.reads import near
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.objects import Object, ObjectRevision
from scheduler.store.tables.refs import Named
from scheduler.store.tables.sources import KIND

KINDS = {plural: kind for kind, plural in NAMES.items()}
"""By the segment of a path."""


def named(plural: str, namespace: str, name: str) -> Named:
    """Raises Problem for a segment that is no kind."""
    kind = KINDS.get(plural)
    if kind is None:
        near = difflib.get_close_matches(plural[:60], KINDS, 1)
        hint = f"did you mean /v1/{near[0]}?" if near else "GET /docs lists the API."
        raise Problem("not-found", f"there is nothing at /v1/{plural[:60]}", hint=hint)
    return Named(kind, namespace, name)


def find_object(store: Store, what: Named) -> Object:
    row = object_rows.find(store, *what)
    if row is None:
        raise Problem(
            "not-found", f"there is no {what.kind} {what.name[:200]!r} in namespace {what.namespace[:200]!r}",
            hint=near_miss(
                what.name, near.objects(store, *what),
                f"cronclave {what.kind} list, or GET /v1/{NAMES[what.kind]}, shows them;"
                " -n, or ?namespace=, names another namespace.",
            ),
        )  # fmt: skip
    return row


def object_json(row: Object) -> dict[str, Any]:
    shape: dict[str, Any] = json.loads(row.spec)
    facts = {"name": row.name, "revision": row.revision, **changes_json(row)}
    # What is a source has its name there, and comes from none.
    came = {} if row.kind == KIND else {"source": row.source or None}
    return {**shape, **facts, **came}


def text_of(spec: bytes) -> list[str]:
    """Its lines as YAML, for a comparison; what was computed of it too, since that is what counts."""
    shape = json.loads(spec) if spec else None
    return [] if shape is None else write_yaml([shape], starts=False).splitlines()


def difference(before: ObjectRevision, after: ObjectRevision) -> str:
    """As a unified diff."""
    titles = (f"revision {before.revision}", f"revision {after.revision}")
    return "\n".join(difflib.unified_diff(text_of(before.spec), text_of(after.spec), *titles, lineterm=""))
