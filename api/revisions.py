"""What every definition tells of its changes, whatever it defines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from api.instants import rfc3339


class Changed(Protocol):
    """A row that says since when it is there, and who changed it last."""

    @property
    def created_ms(self) -> int: ...
    @property
    def changed_ms(self) -> int: ...
    @property
    def actor(self) -> str: ...


class Revised(Protocol):
    """One revision, of a job or of an object."""

    @property
    def revision(self) -> int: ...
    @property
    def stamp_ms(self) -> int: ...
    @property
    def idx(self) -> int: ...
    @property
    def actor(self) -> str: ...
    @property
    def deleted(self) -> int: ...
    @property
    def spec(self) -> bytes: ...


def changes_json(row: Changed) -> dict[str, Any]:
    return {"created": rfc3339(row.created_ms), "changed": rfc3339(row.changed_ms), "actor": row.actor}


def revision_json(row: Revised, read: Callable[[bytes], Any] = json.loads) -> dict[str, Any]:
    """`read`: the definition of its text."""
    return {
        "revision": row.revision,
        "changed": rfc3339(row.stamp_ms),
        "index": row.idx,
        "actor": row.actor,
        "deleted": bool(row.deleted),
        "definition": None if row.deleted or not row.spec else read(row.spec),
    }
