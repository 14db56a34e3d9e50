"""Texts that a process is handed: what none can take. Raises Refused."""

from __future__ import annotations

from scheduler.model.problems import Refused

SCRIPT_CHARACTERS_MAX = 65_536


def no_nul(value: str) -> str:
    if "\0" in value:
        raise Refused("a NUL character cannot be handed to a process")
    return value


def not_blank(value: str) -> str:
    if not value.strip():
        raise Refused("it holds only blanks")
    return value
