"""Fields of the job that a newer format brought, and what becomes of them below it.

Two rules keep nodes of two versions at one state. What a job says with such a field would be lost on an older
node, so below the format it is refused; and what it does not say is left out of the canonical text, or the
same job would have two texts and get a revision whenever another node took it in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scheduler import formats

Place = tuple[str | int, ...]


def given(shape: dict[str, Any], format: int) -> Iterator[tuple[Place, int]]:
    """Where a job in its long form says what needs a newer format than this one, and which."""
    for known in formats.between(format, formats.newest()):
        for pattern in known.job_fields:
            path, _, value = pattern.partition("=")
            for place, found in _places(shape, path.split("/")[1:], ()):
                if not value or found == value:
                    yield place, known.number


def without(shape: dict[str, Any], format: int) -> dict[str, Any]:
    """The job in its long form without the fields that newer formats brought. Changes `shape`."""
    for known in formats.between(format, formats.newest()):
        for pattern in known.job_fields:
            if "=" not in pattern:
                for place, _ in list(_places(shape, pattern.split("/")[1:], ())):
                    _holder(shape, place).pop(place[-1])
    return shape


def _places(value: Any, parts: list[str], above: Place) -> Iterator[tuple[Place, Any]]:
    if not parts:
        yield above, value
        return
    first, rest = parts[0], parts[1:]
    if isinstance(value, dict):
        for name in list(value) if first == "*" else [first] if first in value else []:
            yield from _places(value[name], rest, (*above, name))
    elif isinstance(value, list | tuple) and first == "*":
        for number, item in enumerate(value):
            yield from _places(item, rest, (*above, number))


def _holder(shape: Any, place: Place) -> Any:
    for part in place[:-1]:
        shape = shape[part]
    return shape
