"""Another schedule by calendars: which of its days count, and where what falls on another day goes.

Rules of this file:

1. An instant belongs to the date that the clocks of the trigger's zone show then. Which dates count is asked
   day by day, and only those parts of the range are asked for instants: an hour that is rare costs no more
   than one that is not.
2. A working day of the trigger is one of any calendar that it includes, and of each that it excludes.
   `ignore`: instants on working days of what is included stay, but none on a day off of what is excluded;
   weekends play no part in that. `suppress`: those on working days stay. `before`, `after`, `modified`: those
   of any other day move to the nearest working day before, or after it, or after it unless that is in another
   month; at the same time of day, and in a gap of the clocks right after it.
3. `workday`: those on the n-th working day of each month, quarter or year, or on the n-th last one, stay.
4. What comes to one instant is one tick (docs/decisions/0056): that of the day itself, where there is one.
   A tick is known by the instant to which it was moved, so ticks come in order and any cut of a range gives
   the same ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal, Protocol, cast, get_args

from scheduler.ticks.dates import DAY_MAX, Dates, date_of, day_of
from scheduler.ticks.zones import Zone

Nonworking = Literal["ignore", "before", "after", "modified", "suppress"]
Period = Literal["month", "quarter", "year"]
NONWORKING: tuple[Nonworking, ...] = get_args(Nonworking)
SHIFTS = frozenset({"before", "after", "modified"})
MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}

SHIFTED_A_DAY_MAX = 1_440  #: of a schedule whose instants move: each is moved by itself
APART_MAX = 370  #: days from one to the next working day; beyond that none is looked for
RUN_MAX = 31  #: days that are asked for at once
LOOK_DAYS = 41 * 366  #: how far the next one is looked for, after the last date of the calendars
_DAY_S = 86_400
_REACH_S = 2 * _DAY_S  #: clocks differ less from UTC


class Instants(Protocol):
    @property
    def per_day(self) -> int: ...

    def between(self, after_ms: int, until_ms: int, limit: int = ..., /) -> list[int]: ...

    def next(self, after_ms: int, /) -> int | None: ...


class Days:
    """Which days count for a trigger, by all of its calendars."""

    __slots__ = ("_excluded", "_included", "_nth", "_of", "_workdays", "last", "nonworking")

    def __init__(
        self,
        included: list[Dates],
        excluded: list[Dates],
        nonworking: Nonworking,
        nth: int = 0,
        of: Period = "month",
    ) -> None:
        """`nth` 0: any working day; below: from the period's end."""
        self._included, self._excluded = included, excluded
        self._nth, self._of = nth, of
        self.nonworking = nonworking
        self.last = max((dates.last for dates in (*included, *excluded)), default=0)
        self._workdays: dict[int, int | None] = {}

    def is_worked(self, day: int) -> bool:
        if self._included and not any(dates.is_worked(day) for dates in self._included):
            return False
        return all(dates.is_worked(day) for dates in self._excluded)

    def counts(self, day: int) -> bool:
        """Whether instants of this day are ticks on it."""
        if self._nth:
            return self._workday(_period_of(day, MONTHS[self._of])) == day
        if self.nonworking != "ignore":
            return self.is_worked(day)
        if self._included and not any(dates.is_worked(day) for dates in self._included):
            return False
        return not any(dates.is_off(day) for dates in self._excluded)

    def knows(self, day: int) -> bool:
        return all(dates.knows(day) for dates in (*self._included, *self._excluded))

    def unknowing(self, day: int) -> list[str]:
        """The calendars that do not know this day."""
        return [dates.name for dates in (*self._included, *self._excluded) if not dates.knows(day)]

    def removed_by(self, day: int) -> str:
        """Why instants of this day are no ticks on it; empty: they are."""
        if self.counts(day):
            return ""
        if self._nth and self.is_worked(day):
            last = " last" if self._nth < 0 else ""
            return f"it is not working day {abs(self._nth)}{last} of its {self._of}"
        for dates in self._excluded:
            if dates.is_off(day):
                return f"it is off in calendar {dates.name}"
        if self._included and not any(dates.is_worked(day) for dates in self._included):
            return f"it is no working day of calendar {' or '.join(dates.name for dates in self._included)}"
        names = (dates.name for dates in self._excluded if not dates.is_worked(day))
        return f"it is no working day of calendar {next(names, '')}".rstrip()

    def _workday(self, period: int) -> int | None:
        if period not in self._workdays:
            if len(self._workdays) >= 1_000:
                self._workdays.clear()
            months = MONTHS[self._of]
            first, end = _first_day(period * months), _first_day((period + 1) * months)
            days = range(first, end) if self._nth > 0 else range(end - 1, first - 1, -1)
            worked = (day for day in days if self.is_worked(day))
            self._workdays[period] = next(islice(worked, abs(self._nth) - 1, None), None)
        return self._workdays[period]

    def target(self, day: int) -> int | None:
        """The working day that the instants of this one go to; None: none is near enough."""
        if self.is_worked(day):
            return day
        if self.nonworking == "before":
            return self._nearest(day, -1)
        found = self._nearest(day, 1)
        if self.nonworking == "modified" and (found is None or _period_of(found, 1) != _period_of(day, 1)):
            return self._nearest(day, -1)
        return found

    def _nearest(self, day: int, step: int) -> int | None:
        for apart in range(1, APART_MAX + 1):
            if self.is_worked(day + step * apart):
                return day + step * apart
        return None

    def sources(self, target: int) -> list[int]:
        """The days whose instants come to this working day, in order."""
        found = [target]
        for step in (-1, 1):
            day = target + step
            while abs(day - target) <= APART_MAX and not self.is_worked(day):
                if self.target(day) == target:
                    found.append(day)
                day += step
        return sorted(found)

    def comes_again(self) -> bool:
        """Whether any day counts after the last date of the calendars."""
        if self._nth:
            after = _period_of(self.last, MONTHS[self._of]) + 1
            return any(self._workday(period) is not None for period in range(after, after + 12))
        return any(self.counts(self.last + each) for each in range(1, 8))


def _period_of(day: int, months: int) -> int:
    when = date_of(min(max(day, 0), DAY_MAX))
    return (when.year * 12 + when.month - 1) // months


def _first_day(month: int) -> int:
    return day_of(date_of(0).replace(year=month // 12, month=month % 12 + 1))


class DatedSchedule:
    """Of another schedule the ticks on days that count, those of other days moved to one, or left out."""

    __slots__ = ("_schedule", "_zone", "days")

    def __init__(self, schedule: Instants, zone: Zone, days: Days) -> None:
        self._schedule, self._zone, self.days = schedule, zone, days

    @property
    def per_day(self) -> int:
        return self._schedule.per_day

    def day_of(self, at_ms: int) -> int:
        """The date that the clocks show then."""
        return (at_ms // 1000 + self._zone.offset_s(at_ms // 1000)) // _DAY_S

    def between(self, after_ms: int, until_ms: int, limit: int = 10_000) -> list[int]:
        found: list[int] = []
        if limit > 0 and after_ms < until_ms:
            for part in self._parts(after_ms, until_ms, limit):
                found += part
                if len(found) >= limit:
                    return found[:limit]
        return found

    def next(self, after_ms: int) -> int | None:
        found = self.upcoming(after_ms, 1)
        return found[0] if found else None

    def upcoming(self, after_ms: int, count: int) -> list[int]:
        first_ms = self._schedule.next(after_ms)
        if first_ms is not None and self.days.nonworking not in SHIFTS:
            after_ms = max(after_ms, first_ms - 1)  # not day by day to one that is decades ahead
        last = max(self.days.last, self.day_of(max(after_ms, 0 if first_ms is None else first_ms, 0)))
        last += LOOK_DAYS if self.days.comes_again() else APART_MAX
        return self.between(after_ms, min(last, DAY_MAX) * _DAY_S * 1000, count)

    def _parts(self, after_ms: int, until_ms: int, limit: int) -> Iterator[list[int]]:
        if self.days.nonworking in SHIFTS:
            yield from self._shifted(after_ms, until_ms)
            return
        for first, last in self._runs(self.day_of(max(after_ms, 0)) - 1, self.day_of(max(until_ms, 0)) + 1):
            for low_ms, high_ms in self._spans(first, last):
                if low_ms > until_ms:
                    break
                since_ms, to_ms = max(after_ms, low_ms - 1), min(until_ms, high_ms - 1)
                if since_ms < to_ms:
                    yield self._schedule.between(since_ms, to_ms, limit)

    def _runs(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Days that count, in a row."""
        day = max(first, 0)
        while day <= last:
            if not self.days.counts(day):
                day += 1
                continue
            end = day
            while end < last and end - day < RUN_MAX and self.days.counts(end + 1):
                end += 1
            yield day, end
            day = end + 1

    def _spans(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """[from, until) in milliseconds: when clocks show one of these dates. They may do so twice."""
        low_s, high_s = first * _DAY_S, (last + 1) * _DAY_S
        for segment in self._zone.segments(low_s - _REACH_S, high_s + _REACH_S):
            start_s = max(segment.start_s, low_s - segment.offset_s)
            end_s = min(segment.end_s, high_s - segment.offset_s)
            if start_s < end_s:
                yield start_s * 1000, end_s * 1000

    def _shifted(self, after_ms: int, until_ms: int) -> Iterator[list[int]]:
        """Ticks of one working day after the other. Those of a day may come after some of the next where
        clocks go back over midnight, so they wait until nothing earlier can come."""
        waiting: list[int] = []
        end = self.day_of(max(until_ms, 0)) + 1
        for day in range(max(0, self.day_of(max(after_ms, 0)) - 1), end + 1):
            if self.days.is_worked(day):
                for source in self.days.sources(day):
                    waiting += [due_ms for _, due_ms in self._moved(source, day)]
            waiting = sorted(set(waiting))
            # The next date begins nowhere earlier than 15 hours before it does by UTC.
            sure = (
                bisect_left(waiting, ((day + 1) * _DAY_S - 15 * 3_600) * 1000) if day < end else len(waiting)
            )
            ready, waiting = waiting[:sure], waiting[sure:]
            found = [at_ms for at_ms in ready if after_ms < at_ms <= until_ms]
            if found:
                yield found

    def nominal_ms(self, due_ms: int) -> int:
        """The instant that this tick stood for before it was moved to a working day. Of several that came to
        be one, that which was not moved, else the latest."""
        day = self.day_of(due_ms)
        if self.days.nonworking not in SHIFTS:
            return due_ms
        found = [
            (source == day, nominal_ms)
            for source in self.days.sources(day)
            for nominal_ms, at_ms in self._moved(source, day)
            if at_ms == due_ms
        ]
        return max(found)[1] if found else due_ms

    def _moved(self, source: int, day: int) -> Iterator[tuple[int, int]]:
        """(nominal, due)."""
        for low_ms, high_ms in self._spans(source, source):
            for at_ms in self._schedule.between(low_ms - 1, high_ms - 1, 2 * SHIFTED_A_DAY_MAX):
                if source == day:
                    yield at_ms, at_ms
                    continue
                at_s, rest_ms = divmod(at_ms, 1000)
                local_s = (at_s + self._zone.offset_s(at_s)) % _DAY_S
                moved_s = self._zone.instant_s(day * _DAY_S + local_s)
                if moved_s is not None:
                    yield at_ms, moved_s * 1000 + rest_ms


def days_of(calendar: Any, workday: Any) -> Days:
    """Of what a spec says. Raises ValueError for what is none."""
    said = {} if calendar is None else calendar
    nth, of = (0, "month") if workday is None else (workday.get("nth"), str(workday.get("of")))
    nonworking = said.get("nonworking", "ignore")
    if nonworking not in NONWORKING or of not in MONTHS or type(nth) is not int:
        raise ValueError("not a trigger spec: unknown words of its calendar")
    included, excluded = ([Dates(each) for each in said.get(name, [])] for name in ("include", "exclude"))
    return Days(included, excluded, nonworking, nth, cast(Period, of))
