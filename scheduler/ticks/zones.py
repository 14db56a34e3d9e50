"""What the clocks on the wall show: zones as pieces of constant offset, from the packaged tzdata only.

The host's zone files are never read: two nodes with different ones would fire at different instants.
Transitions are found by asking zoneinfo twice a day and bisecting where the answers differ; zoneinfo
does not publish its table. Seconds here are UTC seconds since the epoch.
"""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib import import_module
from importlib.resources import files
from zoneinfo import ZoneInfo

YEAR_MIN = 1970
YEAR_MAX = 9_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROBE_S = 43_200
_SHIFT_S = 2 * 86_400  #: clocks differ less from UTC, and never jumped farther
NOT_SET = "Factory"  #: of the IANA data: what a host shows whose zone nobody chose


class UnknownZoneError(ValueError):
    """No zone of that name in the packaged tzdata. `similar` holds near misses."""

    def __init__(self, name: str) -> None:
        unset = name == NOT_SET
        said = f"the time zone {name} means: not set" if unset else f"unknown time zone {name[:60]!r}"
        super().__init__(said)
        self.similar = () if unset else similar_zones(name)


@dataclass(frozen=True, slots=True)
class Segment:
    """[start_s, end_s) with one offset."""

    start_s: int
    end_s: int
    offset_s: int
    gap_s: int  #: seconds of the wall clock that were jumped over at `start_s`
    repeated_until_s: int  #: readings of the wall clock (naive seconds) below this were shown before


@dataclass(frozen=True, slots=True)
class _Transition:
    at_s: int
    before_s: int
    after_s: int


class Zone:
    """One time zone."""

    def __init__(self, name: str, info: tzinfo) -> None:
        self.name = name
        self._info = info
        self._years: dict[int, tuple[tuple[Segment, ...], tuple[int, ...]]] = {}

    def offset_s(self, instant_s: int) -> int:
        """Seconds to add to UTC to get the wall clock."""
        offset = (_EPOCH + timedelta(seconds=instant_s)).astimezone(self._info).utcoffset()
        assert offset is not None
        return offset.days * 86_400 + offset.seconds

    def segments(self, start_s: int, end_s: int) -> Iterator[Segment]:
        """The pieces of [start_s, end_s), clipped to it. A piece that `start_s` cuts has no gap at its start.

        Yields nothing before 1970 and stops at the year 9000.
        """
        start_s = max(start_s, 0)
        if self.name == "UTC":  # most jobs: one piece for decades, not one a year
            end_s = min(end_s, year_start_s(YEAR_MAX))
            if start_s < end_s:
                yield Segment(start_s, end_s, 0, 0, 0)
            return
        year = (_EPOCH + timedelta(seconds=min(start_s, year_start_s(YEAR_MAX)))).year
        while year < YEAR_MAX and year_start_s(year) < end_s:
            segments, starts = self._year(year)
            for segment in segments[max(0, bisect_right(starts, start_s) - 1) :]:
                if segment.start_s >= end_s:
                    return
                if segment.start_s < start_s or segment.end_s > end_s:
                    clipped = max(segment.start_s, start_s)
                    segment = Segment(
                        clipped,
                        min(segment.end_s, end_s),
                        segment.offset_s,
                        segment.gap_s if clipped == segment.start_s else 0,
                        segment.repeated_until_s,
                    )
                yield segment
            year += 1

    def instant_s(self, naive_s: int) -> int | None:
        """The first instant at which clocks show this reading (naive seconds since the epoch); of one that is
        jumped over, that of the jump. None: before 1970, or after the year 9000."""
        for segment in self.segments(naive_s - _SHIFT_S, naive_s + _SHIFT_S):
            begins = segment.start_s + segment.offset_s
            if begins - segment.gap_s <= naive_s < segment.end_s + segment.offset_s:
                return max(segment.start_s, naive_s - segment.offset_s)
        return None

    def _year(self, year: int) -> tuple[tuple[Segment, ...], tuple[int, ...]]:
        known = self._years.get(year)
        if known is None:
            if len(self._years) >= 200:
                self._years.clear()
            segments = self._cut(year)
            known = self._years[year] = (segments, tuple(s.start_s for s in segments))
        return known

    def _cut(self, year: int) -> tuple[Segment, ...]:
        start_s, end_s = year_start_s(year), year_start_s(year + 1)
        # A transition of the days before may still repeat readings at the year's start.
        repeated = 0
        own = []
        for transition in self._transitions(start_s - 4 * _PROBE_S, end_s):
            if transition.at_s < start_s:
                repeated = max(repeated, transition.at_s + transition.before_s)
            elif transition.at_s < end_s:
                own.append(transition)
        segments = []
        at_s, offset, gap = start_s, self.offset_s(start_s), 0
        for transition in own:
            if transition.at_s > at_s:
                segments.append(Segment(at_s, transition.at_s, offset, gap, repeated))
            at_s, offset = transition.at_s, transition.after_s
            gap = max(0, transition.after_s - transition.before_s)
            repeated = max(repeated, transition.at_s + transition.before_s)
        segments.append(Segment(at_s, end_s, offset, gap, repeated))
        return tuple(segments)

    def _transitions(self, start_s: int, end_s: int) -> list[_Transition]:
        """Changes of the offset at instants in (start_s, end_s]."""
        found = []
        low, before = start_s, self.offset_s(start_s)
        while low < end_s:
            high = min(low + _PROBE_S, end_s)
            after = self.offset_s(high)
            if after != before:
                found.append(_Transition(self._bisect(low, high, before), before, after))
            low, before = high, after
        return found

    def _bisect(self, low: int, high: int, before: int) -> int:
        """The first instant in (low, high] whose offset is not `before`."""
        while high - low > 1:
            middle = (low + high) // 2
            if self.offset_s(middle) == before:
                low = middle
            else:
                high = middle
        return high


@lru_cache(maxsize=1_024)
def year_start_s(year: int) -> int:
    return int((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split()) - {NOT_SET}


@lru_cache(maxsize=1_024)
def zone(name: str) -> Zone:
    """The zone of this IANA name; raises UnknownZoneError."""
    if name not in zone_names():
        raise UnknownZoneError(name)
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as source:
        return Zone(name, ZoneInfo.from_file(source, key=name))


def similar_zones(name: str) -> tuple[str, ...]:
    """Known names close to `name`, best first: near misses, other case, the city alone, or for a name that
    Windows gives a zone the one that CLDR has for it.
    """
    if (meant := _windows_names().get(name[:60].casefold())) in zone_names():
        return (str(meant),)
    wanted = name[:60].casefold().replace(" ", "_")
    by_fold = {known.casefold(): known for known in sorted(zone_names())}
    if wanted in by_fold:
        return (by_fold[wanted],)
    city = wanted.rpartition("/")[2]
    cities = [known for fold, known in by_fold.items() if fold.rpartition("/")[2] == city]
    near = [by_fold[fold] for fold in difflib.get_close_matches(wanted, by_fold, 3, 0.7)]
    return tuple(dict.fromkeys(cities[:2] + near))[:3]


@lru_cache(maxsize=1)
def _windows_names() -> dict[str, str]:
    """CLDR's table as tzlocal ships it. Only for hints: a zone is always stored by its IANA name."""
    table: dict[str, str] = import_module("tzlocal.windows_tz").win_tz
    return {name.casefold(): meant for name, meant in table.items()}


def tzdata_version() -> str:
    """The IANA version of the packaged zone data, such as `2026a`."""
    return str(import_module("tzdata").IANA_VERSION)
