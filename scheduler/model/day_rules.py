"""Days that come again by a rule: the last Friday of a quarter, the Monday after Easter, each 14th day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from scheduler.model.fields import Model, as_tuple
from scheduler.model.known_dates import WEEK
from scheduler.model.problems import Refused, shortened
from scheduler.model.recurrence import easter_sunday
from scheduler.ticks.dated import MONTHS, Period

_WEEKDAYS_MAX = {"month": 5, "quarter": 14, "year": 53}  #: so often a period has one of them, at most
WAYS = ("weekday", "day", "easter", "workday", "every")
_REFINED_BY = {
    "weekday": ("nth", "of", "months"),
    "day": ("months",),
    "easter": ("church",),
    "workday": ("of", "months"),
    "every": ("from",),
}


_COUNTED = ("weekday", "day", "workday")  #: within a period, which may not have so many
_ALL_YEARS = range(2000, 2028)
"""Each day of the week is the first of a year among these, and of a leap year."""


def _begins(of: Period) -> range:
    return range(1, 13, MONTHS[of])


def _date(value: Any) -> Any:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else value
    except ValueError as error:
        raise Refused(f"{shortened(str(value))} is no day", "such as 2026-01-05") from error


def _months(value: Any) -> Any:
    return (value,) if isinstance(value, int) else as_tuple(value)


class DayRule(Model):
    """Exactly one of weekday, day, easter, workday and every."""

    weekday: Annotated[
        Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] | None, Field(description="with nth: which")
    ] = None
    nth: Annotated[
        int | None, Field(ge=-53, le=53, description="of a weekday; -1: the last one of the period")
    ] = None
    day: Annotated[int | None, Field(ge=-31, le=31, description="of the month; -1: its last one")] = None
    easter: Annotated[
        int | None, Field(ge=-100, le=250, description="days after Easter Sunday; before it: negative")
    ] = None
    church: Annotated[Literal["western", "orthodox"] | None, Field(description="of easter")] = None
    workday: Annotated[
        int | None, Field(ge=-262, le=262, description="n-th working day by all else; -1: the last one")
    ] = None
    every: Annotated[int | None, Field(ge=1, le=3_660, description="days from one to the next")] = None
    start: Annotated[
        date | None, BeforeValidator(_date), Field(alias="from", description="the first one of `every`")
    ] = None
    of: Annotated[Period | None, Field(description="of which period; default month")] = None
    months: Annotated[
        tuple[Annotated[int, Field(ge=1, le=12)], ...] | None,
        BeforeValidator(_months),
        Field(max_length=12, description="in which this period begins; default any"),
    ] = None
    days: Annotated[
        Literal["off", "working"], Field(description="what the days are: off, or worked though weekend")
    ] = "off"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in WAYS if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"{' and '.join(given)} exclude each other" if given else "it says no days"
            raise Refused(f"{said}: a rule has exactly one of {', '.join(WAYS)}", "make a rule of each")
        fields = {
            "nth": self.nth, "of": self.of, "months": self.months, "church": self.church, "from": self.start,
        }  # fmt: skip
        for name, value in fields.items():
            if value is not None and name not in _REFINED_BY[given[0]]:
                raise Refused(f"{name} means nothing beside {given[0]}", f"remove {name}")
        if self.weekday is not None and not self.nth:
            raise Refused("which of them?", "nth: 1 is the first, -1 the last; every one is the weekend's")
        of = self.of or "month"
        if self.weekday is not None and abs(self.nth or 0) > _WEEKDAYS_MAX[of]:
            said = f"no {of} has {abs(self.nth or 0)} of a day of the week"
            raise Refused(said, f"{_WEEKDAYS_MAX[of]} at most, or another `of`")
        if self.every is not None and self.start is None:
            raise Refused("from when on?", "from: the first of these days")
        if 0 in (self.day, self.workday):
            raise Refused("there is no day 0", "1 is the first, -1 the last")
        if given[0] in _COUNTED and next(self.dates(_ALL_YEARS, lambda day: True), None) is None:
            of = self.of or "month"
            begin = "" if of == "month" else f"; a {of} begins in month {', '.join(map(str, _begins(of)))}"
            raise Refused(f"no {of} has such a day{begin}", "a smaller number, or other months")
        return self

    def dates(self, years: range, works: Callable[[date], bool]) -> Iterator[date]:
        """In these years. `works`: what all else says of a day."""
        first, end = date(years.start, 1, 1), date(years.stop, 1, 1)
        if self.easter is not None:
            for year in range(years.start - 1, years.stop + 1):
                sunday = easter_sunday(year, orthodox=self.church == "orthodox")
                found = sunday + timedelta(days=self.easter)
                if first <= found < end:
                    yield found
        elif self.every is not None:
            assert self.start is not None
            step = timedelta(days=self.every)
            here = self.start + max(0, -((self.start - first) // step)) * step
            while here < end:
                if here >= first:
                    yield here
                here += step
        else:
            for days in _periods(years, MONTHS[self.of or "month"], self.months):
                found_one = self._of(days, works)
                if found_one is not None:
                    yield found_one

    def _of(self, days: list[date], works: Callable[[date], bool]) -> date | None:
        """That of one period."""
        nth = self.nth or self.day or self.workday or 1
        if self.weekday is not None:
            days = [day for day in days if day.weekday() == WEEK.index(self.weekday or "mon")]
        elif self.workday is not None:
            days = [day for day in days if works(day)]
        place = nth - 1 if nth > 0 else nth
        return days[place] if -len(days) <= place < len(days) else None


def _periods(years: range, months: int, begin: tuple[int, ...] | None) -> Iterator[list[date]]:
    """The days of each that begins in one of these months."""
    for year in years:
        for month in range(1, 13, months):
            if begin is None or month in begin:
                first = date(year, month, 1)
                after = date(year + (month + months > 12), (month + months - 1) % 12 + 1, 1)
                yield [first + timedelta(days=n) for n in range((after - first).days)]
