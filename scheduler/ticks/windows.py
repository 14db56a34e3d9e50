"""Windows of a week by the clock on the wall: `Mon-Fri 20:00-06:00`.

Rules of this file:

1. A window begins on each day that it names, at the first instant whose wall time on that date is at or
   after its begin; where clocks jump over that, right after the jump. It ends in the same way, on the next
   date where its end is not after its begin. What clocks show twice begins, and ends, the first time.
2. Windows that touch or overlap are one. One that a jump leaves nothing of is none that day.
3. A list that is open all the time never closes: what is said of its end is an instant at which it is open.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from scheduler.ticks.zones import Zone

DAY_S = 86_400
DAY_MS = 1_000 * DAY_S
LOOKED_DAYS = 9  #: a week, and what a window and a jump may add
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_THURSDAY = 3  #: that day 0 was
_WINDOW = re.compile(r"(?:(?P<days>[A-Za-z,-]+) +)?(?P<begin>[0-9]{2}:[0-9]{2})-(?P<end>[0-9]{2}:[0-9]{2})")
_NUMBERS = {name.casefold(): number for number, name in enumerate(DAYS)}


class WindowError(ValueError):
    """A text that is no window. `hint`: how one is written."""

    def __init__(self, detail: str, hint: str = 'such as "Mon-Fri 20:00-06:00"') -> None:
        super().__init__(detail)
        self.hint = hint


class Window(NamedTuple):
    days: frozenset[int]  #: on which it begins; 0: Monday
    begin_s: int  #: of that day
    end_s: int  #: of the same day, or beyond it


class Opening(NamedTuple):
    """How it stands at an instant."""

    is_open: bool
    until_ms: int  #: to then; open all the time: it is looked at again


def parse(text: str) -> Window:
    """Raises WindowError."""
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise WindowError(f"{text[:60]!r} is no window")
    begin_s, end_s = _clock_s(found["begin"]), _clock_s(found["end"])
    if begin_s == DAY_S:
        raise WindowError("a window begins before 24:00", "00:00 of the next day")
    if begin_s == end_s:
        raise WindowError("it begins and ends at the same time", "the whole day is 00:00-24:00")
    return Window(_days(found["days"]), begin_s, end_s if end_s > begin_s else end_s + DAY_S)


def _clock_s(text: str) -> int:
    hours, minutes = int(text[:2]), int(text[3:])
    if minutes > 59 or hours * 60 + minutes > 1_440:
        raise WindowError(f"{text} is no time of a day", "00:00 to 24:00")
    return hours * 3_600 + minutes * 60


def _days(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        names = (first, last) if dash else (first, first)
        numbers = [_NUMBERS.get(name.casefold()) for name in names]
        if None in numbers:
            hint = f"{', '.join(DAYS)}, or a span as Mon-Fri"
            raise WindowError(f"{part[:20]!r} is no day of the week", hint)
        start, end = (number or 0 for number in numbers)
        found += [(start + step) % 7 for step in range((end - start) % 7 + 1)]
    return frozenset(found)


def opening(windows: tuple[Window, ...], zone: Zone, at_ms: int) -> Opening:
    """Whether one of the windows is open at this instant, and until when that is so."""
    for from_ms, until_ms in _spans(windows, zone, at_ms // DAY_MS):
        if at_ms < from_ms:
            return Opening(False, from_ms)
        if at_ms < until_ms:
            return Opening(True, until_ms)
    return Opening(False, at_ms + DAY_MS)  # beyond the years that zones know


@lru_cache(maxsize=2_000)
def _spans(windows: tuple[Window, ...], zone: Zone, day: int) -> tuple[tuple[int, int], ...]:
    """The open spans around this day of UTC, in order and apart."""
    found: list[tuple[int, int]] = []
    for date in range(day - 3, day + LOOKED_DAYS):
        for window in windows:
            if (date + _THURSDAY) % 7 in window.days:
                begin_s = zone.instant_s(date * DAY_S + window.begin_s)
                end_s = zone.instant_s(date * DAY_S + window.end_s)
                if begin_s is not None and end_s is not None and begin_s < end_s:
                    found.append((begin_s * 1_000, end_s * 1_000))
    merged: list[tuple[int, int]] = []
    for from_ms, until_ms in sorted(found):
        if merged and from_ms <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], until_ms))
        else:
            merged.append((from_ms, until_ms))
    return tuple(merged)
