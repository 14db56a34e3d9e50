"""Days that come again, by dateutil: RRULE of RFC 5545, and Easter. The one file that knows the library.

It is imported when such days are computed: that is once for each calendar that is put.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
"""In the library's own order."""


def starts(rule: dict[str, Any], start: datetime, until: datetime) -> Iterator[datetime]:
    """By a rule of `ical`, up to an instant; ascending."""
    from dateutil.rrule import rrule, weekday

    days = rule.get("BYDAY")
    found: Iterator[datetime] = iter(
        rrule(
            FREQUENCIES.index(rule["FREQ"]), dtstart=start, until=until, interval=rule.get("INTERVAL", 1),
            bymonthday=rule.get("BYMONTHDAY"), byyearday=rule.get("BYYEARDAY"), wkst=rule.get("WKST", 0),
            byweekno=rule.get("BYWEEKNO"), bymonth=rule.get("BYMONTH"), bysetpos=rule.get("BYSETPOS"),
            byweekday=None if days is None else [weekday(day, number) for day, number in days],
        )
    )  # fmt: skip
    return found


def easter_sunday(year: int, *, orthodox: bool) -> date:
    """By the Gregorian calendar."""
    from dateutil.easter import EASTER_ORTHODOX, EASTER_WESTERN, easter

    found: date = easter(year, EASTER_ORTHODOX if orthodox else EASTER_WESTERN)
    return found
