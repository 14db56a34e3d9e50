"""The days by which a namespace is planned: to which date an instant belongs.

Rules of this file:

1. Date D begins at the first instant whose wall time on D is at or after `begin`; where clocks jump over
   that, right after the jump. It never goes back: an instant belongs to the last date that has begun.
2. Who declares a namespace computes `pieces` by the rules in force of its zone; whoever makes a run looks up
   in them. So nodes with different tzdata give a run the same date. A Retime brings those of the new rules
   along.
3. A date is a number here: days since 1970-01-01.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from datetime import date
from functools import lru_cache

from scheduler.ticks.zones import Zone

DAY_S = 86_400
DAY_MS = 1_000 * DAY_S
DAYS_BEFORE = 3 * 366  #: what is computed before the day on which it is declared
DAYS_AFTER = 20 * 366  #: and after it; what is later goes on as the last of it
PIECES_MAX = 400
PLANS_MAX = 200  #: pairs of zone and hour by which namespaces are planned: a Retime brings all of them along
DAY_MAX = 2_567_000  #: in the year 8998: of later ones no zone tells an instant
_EPOCH = date(1970, 1, 1).toordinal()

Pieces = tuple[tuple[int, int], ...]
"""(from_ms, day): from this instant on, until the next piece, a date begins every 24 hours, the first of them
is `day`. None: dates of UTC."""


def pieces(zone: Zone, begin: str, now_ms: int) -> Pieces:
    """Of dates that begin at `begin`, such as 06:00, in this zone."""
    hours, _, minutes = begin.partition(":")
    begin_s = int(hours) * 3_600 + int(minutes) * 60
    today = now_ms // DAY_MS
    found: list[tuple[int, int]] = []
    last_ms: int | None = None
    for day in range(max(1, today - DAYS_BEFORE), today + DAYS_AFTER):
        at_s = zone.instant_s(day * DAY_S + begin_s)
        if at_s is None:
            break
        if last_ms is not None and at_s * 1_000 <= last_ms:  # clocks jumped over the whole date before
            found = found[:-1] if found[-1][0] == last_ms else found
            found.append((last_ms, day))
        elif last_ms is None or at_s * 1_000 != last_ms + DAY_MS:
            found.append((at_s * 1_000, day))
        last_ms = max(at_s * 1_000, last_ms or 0)
    return tuple(found)


def day_of(given: Pieces, at_ms: int) -> int:
    """The date that this instant belongs to."""
    if not given:
        return at_ms // DAY_MS
    place = bisect_right(given, at_ms, key=lambda piece: piece[0])
    from_ms, first = given[max(0, place - 1)]
    day = first + (at_ms - from_ms) // DAY_MS
    return min(day, given[place][1] - 1) if 0 < place < len(given) else day


def span_of(given: Pieces, day: int) -> tuple[int, int]:
    """The instants of this date: from the first, up to the first that is not of it."""
    return _begins_ms(given, day), _begins_ms(given, day + 1)


def _begins_ms(given: Pieces, day: int) -> int:
    place = bisect_right(given, day, key=lambda piece: piece[1])
    from_ms, first = given[max(0, place - 1)] if given else (0, 0)
    at_ms = from_ms + (day - first) * DAY_MS
    return min(at_ms, given[place][0]) if 0 < place < len(given) else at_ms


@lru_cache(maxsize=1_000)
def read(text: str) -> Pieces:
    """As the state keeps them: a JSON list."""
    return tuple((from_ms, day) for from_ms, day in json.loads(text))


def text_of(day: int) -> str:
    """As people write it: 2026-12-31."""
    return date.fromordinal(_EPOCH + day).isoformat()


def parse(text: str) -> int:
    """The date 2026-12-31. Raises ValueError."""
    if len(text) != 10:
        raise ValueError(f"{text[:20]!r} is no date")
    day = date.fromisoformat(text).toordinal() - _EPOCH
    if day < 0:
        raise ValueError(f"{text} is before 1970")
    if day > DAY_MAX:
        raise ValueError(f"{text} is too far away")
    return day


def is_one(day: int | None) -> bool:
    """Whether it can be a plan date; None: it is said elsewhere."""
    return day is None or 0 <= day <= DAY_MAX
