"""The dates of calendars as triggers get them, and the rules of zones. Without pydantic: the planner asks it
too.

Who prepares triggers asks one function for both: a zone is a calendar with an empty namespace, of which only
the `pin` is asked. Where no zone data is known, as offline, that is empty: the packaged tzdata counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from scheduler.ticks.dates import written

KIND = "calendar"
ZONE = "zone"
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Calendars = Callable[[str, str], dict[str, Any]]
"""The dates of the calendar of this namespace and name, as specs carry them; the rules of a zone."""

def NO_CALENDARS(namespace: str, name: str) -> dict[str, Any]:
    """Where there are none: nothing is off."""
    return {**written(f"{namespace}/{name}", weekend=(), off=(), worked=(), until=None), "pin": ""}


def dates_of(namespace: str, name: str, spec: bytes | Mapping[str, Any]) -> dict[str, Any]:
    """What triggers carry of a calendar as it is stored."""
    shape = json.loads(spec) if isinstance(spec, bytes) else spec
    told = shape["computed"]
    until = told["known_until"]
    return written(
        f"{namespace}/{name}",
        weekend=map(WEEK.index, shape["weekend"]),
        off=map(date.fromisoformat, told["off"]),
        worked=map(date.fromisoformat, told["working"]),
        until=None if until is None else date.fromisoformat(until),
    )
