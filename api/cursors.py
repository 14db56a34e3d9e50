"""Opaque cursors: where a list goes on.

A cursor holds the key of the last row that was given out, not a count of rows, so a list stays right while
rows come in and go: nothing is shown twice, nothing that was there all along is left out.
"""

from __future__ import annotations

import base64
import json

from api.problems import query_problem
from scheduler.model.bounds import half_pair


def make_cursor(kind: str, *key: str | int) -> str:
    return (
        base64.urlsafe_b64encode(json.dumps([kind, *key], separators=(",", ":")).encode())
        .decode()
        .rstrip("=")
    )


def _is(value: object, expected: type) -> bool:
    """Whether a list could have given it out: SQLite has no larger numbers and no half letters."""
    if type(value) is not expected:
        return False
    return abs(value) < 1 << 63 if isinstance(value, int) else half_pair(value) is None


def read_cursor(kind: str, text: str | None, *types: type) -> list[str | int] | None:
    """The key in the cursor; None without one. A cursor of another list is refused."""
    if not text:
        return None
    try:
        row = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if row[0] == kind and len(row) == len(types) + 1:
            key: list[str | int] = row[1:]
            if all(_is(value, expected) for value, expected in zip(key, types, strict=True)):
                return key
    except (ValueError, TypeError, LookupError, RecursionError):
        pass
    raise query_problem(
        "cursor", "it is not a cursor of this list", "Use next_cursor of the page before, unchanged."
    )
