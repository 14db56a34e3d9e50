"""Dates of calendars, as a trigger's spec carries them: which days are off or worked, and how far is known.

Rules of this file:

1. A spec holds the dates themselves (docs/decisions/0056), so an era's instants are recomputed from it
   alone, whatever became of the calendar. Days are counted from 1970-01-01; lists hold the first day and
   then the steps from one to the next, which are short.
2. A working day is not of the weekend (or is worked all the same) and not off.
3. Of a day after `until` it is not known whether it is off: it counts as if it were not. The days of the
   weekend are known.

    {"name": "default/berlin", "pin": "a hash of the rest", "weekend": [5, 6], "off": [20454, 93, 3],
     "worked": [20785], "until": 22280}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import accumulate, pairwise
from typing import Any

from scheduler.words.json_text import json_text

EPOCH = date(1970, 1, 1)
DAYS_MAX = 10_000  #: of one calendar
DAY_MAX = 2_932_532  #: in the year 9999


def day_of(when: date) -> int:
    return (when - EPOCH).days


def date_of(day: int) -> date:
    return EPOCH + timedelta(days=day)


def written(
    name: str, *, weekend: Iterable[int], off: Iterable[date], worked: Iterable[date], until: date | None
) -> dict[str, Any]:
    """What specs carry of a calendar. `pin` is the same where the dates are, whatever else was edited."""
    said: dict[str, Any] = {
        "weekend": sorted(weekend),
        "off": _steps(off),
        "worked": _steps(worked),
    }
    if until is not None:
        said["until"] = day_of(until)
    pin = hashlib.sha256(json_text(said)).hexdigest()[:16]
    return {"name": name, "pin": pin, **said}


def _steps(dates: Iterable[date]) -> list[int]:
    days = sorted(map(day_of, dates))
    return days[:1] + [later - earlier for earlier, later in pairwise(days)]


class Dates:
    """One calendar."""

    __slots__ = ("last", "name", "off", "until", "weekend", "worked")

    def __init__(self, said: object) -> None:
        """Raises ValueError for what is none."""
        if not isinstance(said, dict):
            raise ValueError("a calendar's dates are an object")
        self.name = str(said.get("name", ""))
        self.weekend = frozenset(_numbers(said.get("weekend", [])))
        self.off = frozenset(accumulate(_numbers(said.get("off", []))))
        self.worked = frozenset(accumulate(_numbers(said.get("worked", []))))
        until = said.get("until", DAY_MAX)
        if type(until) is not int:
            raise ValueError("`until` is a day's number")
        self.until = until
        self.last = max((*self.off, *self.worked), default=0)
        """After it days differ by their place in the week alone."""

    def is_off(self, day: int) -> bool:
        return day in self.off

    def is_worked(self, day: int) -> bool:
        return (day not in self.off) and ((day + 3) % 7 not in self.weekend or day in self.worked)

    def knows(self, day: int) -> bool:
        return day <= self.until


def _numbers(said: object) -> list[int]:
    if not isinstance(said, list) or len(said) > DAYS_MAX or not all(type(each) is int for each in said):
        raise ValueError(f"a list of days has {DAYS_MAX} numbers at most")
    return said
