"""Cron ticks: an expression on the clock of a zone, under one of three policies for its jumps.

Rules of this file (docs/reference/job.md, "Triggers"):

1. The zone is cut into pieces of constant offset; on each the naive local times that match are listed and
   shifted. So a range gives the same ticks however it is cut, and no ambiguous time is ever mapped.
2. `literal`: as the clock shows: nothing for a reading jumped over, twice for one that comes twice.
3. `skip`: nothing for a reading that is jumped over, once (the first) for one that comes twice.
4. `cron` (Debian cron): wildcards (minute or hour begins with `*`) go as `literal`. A fixed time goes as
   `skip`, and readings that were jumped over give one tick right after the jump, however many they were.

The usual way (widen the window, map each naive time, filter, sort, drop doubles) gives the same ticks where
gaps are shorter than the widening; this one needs no such bound (Apia left out a whole day in 2011).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Literal

from scheduler.ticks.expression import Expression, Join
from scheduler.ticks.month_days import month_days
from scheduler.ticks.zones import Zone

DstPolicy = Literal["cron", "skip", "literal"]
DST_POLICIES: tuple[DstPolicy, ...] = ("cron", "skip", "literal")
SEARCH_S = 100 * 366 * 86_400
"""How far `next` looks: the rarest dates (a 29 February on a given weekday) are 40 years apart."""

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_S = 86_400
_HOUR_S = 3_600

_Stretch = tuple[int, int, int]
"""(base_s, i, j): the ticks base_s + offsets[i:j] within one hour."""


@lru_cache(maxsize=4_096)
def _hour_offsets(minutes: tuple[int, ...], seconds: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(minute * 60 + second for minute in minutes for second in seconds)


class CronSchedule:
    """Ticks of one expression in one zone."""

    __slots__ = ("_dst", "_expression", "_hours_s", "_join", "_offsets", "_zone")

    def __init__(self, expression: Expression, zone: Zone, dst: DstPolicy, join: Join = "debian") -> None:
        self._expression = expression
        self._join = join
        self._zone = zone
        self._dst = dst
        self._hours_s = tuple(hour * _HOUR_S for hour in expression.hours)
        self._offsets = _hour_offsets(expression.minutes, expression.seconds)

    @property
    def per_day(self) -> int:
        return len(self._hours_s) * len(self._offsets)

    def between(self, after_ms: int, until_ms: int, limit: int = 10_000) -> list[int]:
        """The first `limit` ticks in (after_ms, until_ms]."""
        found: list[int] = []
        offsets = self._offsets
        for base, i, j in self._stretches(after_ms // 1000 + 1, until_ms // 1000 + 1):
            found += [(base + offset) * 1000 for offset in offsets[i : min(j, i + limit - len(found))]]
            if len(found) >= limit:
                break
        return found

    def next(self, after_ms: int) -> int | None:
        """The first tick after `after_ms`; None: nothing in a hundred years."""
        start_s = after_ms // 1000 + 1
        for base, i, _ in self._stretches(start_s, start_s + SEARCH_S):
            return (base + self._offsets[i]) * 1000
        return None

    def upcoming(self, after_ms: int, count: int) -> list[int]:
        """The next `count` ticks after `after_ms`."""
        return self.between(after_ms, after_ms + SEARCH_S * 1000, count)

    def _stretches(self, start_s: int, end_s: int) -> Iterator[_Stretch]:
        """The ticks of [start_s, end_s) in order, none twice."""
        once = self._dst == "skip" or (self._dst == "cron" and self._expression.fixed)
        make_up = self._dst == "cron" and self._expression.fixed
        for segment in self._zone.segments(start_s, end_s):
            offset = segment.offset_s
            low, high = segment.start_s + offset, segment.end_s + offset
            if once and segment.repeated_until_s > low:
                low = segment.repeated_until_s
            made_up = False
            if make_up and segment.gap_s and next(self._naive(low - segment.gap_s, low), None):
                yield segment.start_s - self._offsets[0], 0, 1
                made_up = True
            for base, i, j in self._naive(low, high):
                if made_up and base + self._offsets[i] == low:
                    i += 1  # due at the very end of the gap anyway
                made_up = False
                if i < j:
                    yield base - offset, i, j

    def _naive(self, low: int, high: int) -> Iterator[_Stretch]:
        """The local times of [low, high), in naive seconds since the epoch, that match."""
        if low >= high:
            return
        offsets = self._offsets
        for day in self._days(low // _DAY_S, (high - 1) // _DAY_S):
            for hour_s in self._hours_s:
                base = day * _DAY_S + hour_s
                if base + _HOUR_S <= low:
                    continue
                if base >= high:
                    return
                i = bisect_left(offsets, low - base) if base < low else 0
                j = bisect_left(offsets, high - base) if base + _HOUR_S > high else len(offsets)
                if i < j:
                    yield base, i, j

    def _days(self, first: int, last: int) -> Iterator[int]:
        """Matching days from `first` to `last`, counted from the epoch."""
        at = date.fromordinal(first + _EPOCH_ORDINAL)
        expression, months = self._expression, self._expression.months
        year, month, day = at.year, at.month, at.day
        start = first - day  # the day before the month's first
        while start < last:
            days = month_days(expression.days, months, expression.weekdays, year, month, self._join)
            for d in islice(days, bisect_left(days, day), None):
                if start + d > last:
                    return
                yield start + d
            # Straight to the next month that can match: a yearly job is asked for decades (`verify`).
            following = bisect_right(months, month)
            year, month, day = (
                (year + 1, months[0], 1) if following == len(months) else (year, months[following], 1)
            )
            start = date(year, month, 1).toordinal() - 1 - _EPOCH_ORDINAL
