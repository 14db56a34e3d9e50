"""Texts and JSON that a process is handed: what none can take. Raises Refused."""

from __future__ import annotations

import json
from typing import TypeVar

from scheduler.model.problems import Refused

SCRIPT_CHARACTERS_MAX = 65_536
JSON_BYTES_MAX = 64 << 10
V = TypeVar("V")


def no_nul(value: str) -> str:
    if "\0" in value:
        raise Refused("a NUL character cannot be handed to a process")
    return value


def not_blank(value: str) -> str:
    if not value.strip():
        raise Refused("it holds only blanks")
    return value


def plain_json(value: V) -> V:
    try:
        size = len(json.dumps(value, allow_nan=False).encode())
    except (TypeError, ValueError):
        hint = "objects, lists, texts, numbers, true and false"
        raise Refused("it holds what JSON cannot say", hint) from None
    if size > JSON_BYTES_MAX:
        raise Refused(f"it has {size} bytes as JSON, {JSON_BYTES_MAX} at most")
    return value
