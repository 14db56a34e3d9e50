"""calendar: which days are working days. Its dates are computed when it is put, and stored.

Rules of this file:

1. A working day is not of the weekend (or is in `extra_working`) and not off. Off is what `exclude` and the
   public holidays, rules and iCal events say, without what `include` takes back.
2. Dates are stored from the beginning of last year to the end of the fifth year ahead. No node computes them
   again: another version of the package is an edit that somebody makes, with a difference to look at.
3. What is not known is said: `known_from` and `known_until`, the first and the last day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from scheduler.model import ical, public_holidays
from scheduler.model.day_rules import DayRule
from scheduler.model.fields import Model, Name, as_tuple, type_name
from scheduler.model.known_dates import WEEK, dates_of
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.problems import JobError, Problem, Refused, pointer_of, shortened

YEARS_BACK, YEARS_AHEAD = 1, 5
DAYS_MAX = 1_000  #: of one list
PLACES_MAX = 10
RULES_MAX = 100
_YEARLY = re.compile(r"[0-9]{2}-[0-9]{2}")
_DAY_PATTERN = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}(/[0-9]{4}-[0-9]{2}-[0-9]{2})?|[0-9]{2}-[0-9]{2})$"
_SUCH = "such as 2026-12-24, 2026-12-24/2026-12-31, or 12-24 of each year"


def _days(value: Any) -> Any:
    if isinstance(value, list):
        total = 0
        for item in value[: DAYS_MAX + 1]:
            if not isinstance(item, str):
                raise Refused(f"a day is text, not {type_name(item)}", _SUCH)
            count = len(list(_of_year(item, 2024)))  # a leap year
            if not count:
                raise Refused(f"{item} ends before it begins", "write the earlier day first")
            total += count
        if total > DAYS_MAX:
            raise Refused(f"these are more than {DAYS_MAX} days", "days of the week are the weekend's")
    return as_tuple(value)


def _of_year(text: str, year: int) -> Iterator[date]:
    """The days of an entry; of one that comes each year, in this year. Raises Refused."""
    first, slash, last = text.partition("/")
    try:
        if not slash and _YEARLY.fullmatch(text):
            month, day = int(text[:2]), int(text[3:])
            if (month, day) != (2, 29) or year % 4 == 0:  # 1901 to 2099
                yield date(year, month, day)
            return
        if re.fullmatch(_DAY_PATTERN, text) is None:
            raise ValueError("no day")
        here, end = date.fromisoformat(first), date.fromisoformat(last or first)
        if end - here > timedelta(days=366):
            raise Refused(f"{text} is longer than a year", "make several of it")
    except ValueError as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"{shortened(text)} is no day", _SUCH) from error
    yield from (here + timedelta(days) for days in range((end - here).days + 1))  # none behind 9999-12-31


def _expanded(entries: tuple[str, ...], years: range) -> frozenset[date]:
    found: set[date] = set()
    for text in entries:
        for year in years if _YEARLY.fullmatch(text) else range(1):
            found.update(_of_year(text, year))
    return frozenset(found)


Days = Annotated[
    tuple[str, ...], BeforeValidator(_days), Field(max_length=DAYS_MAX),
    WithJsonSchema(
        {"type": "array", "maxItems": DAYS_MAX, "items": {"type": "string", "pattern": _DAY_PATTERN}}
    ),
]  # fmt: skip


class Holidays(Model):
    """Public holidays of a country."""

    country: Annotated[str, Field(min_length=1, max_length=8, description="ISO 3166, such as DE")]
    subdivision: Annotated[str | None, Field(max_length=20, description="of the country, such as BE")] = None


def _ical(text: str) -> str:
    ical.events_of(text)
    return text


class Ical(Model):
    """Events, as iCalendar text."""

    text: Annotated[str, AfterValidator(_ical), Field(max_length=ical.TEXT_CHARACTERS_MAX)]
    days: Annotated[
        Literal["off", "working"], Field(description="what their days are: off, or worked though weekend")
    ] = "off"


class Calendar(Described):
    name: Annotated[Name, Field(alias="calendar")]
    weekend: Annotated[
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...],
        BeforeValidator(as_tuple), Field(max_length=7, description="days of the week that are not worked"),
    ] = ("sat", "sun")  # fmt: skip
    holidays: Annotated[
        tuple[Holidays, ...],
        BeforeValidator(lambda value: (value,) if isinstance(value, dict) else as_tuple(value)),
        Field(max_length=PLACES_MAX, description="of a country and its subdivision, or of several"),
    ] = ()
    exclude: Annotated[Days, Field(description="days off: a day, from/to, or a day of each year")] = ()
    include: Annotated[Days, Field(description="days that are not off, whatever says so")] = ()
    rules: Annotated[
        tuple[DayRule, ...],
        BeforeValidator(as_tuple),
        Field(max_length=RULES_MAX, description="days that come again, such as the last Friday of a quarter"),
    ] = ()
    ical: Annotated[
        Ical | None,
        BeforeValidator(lambda value: {"text": value} if isinstance(value, str) else value),
        Field(description="iCalendar text (RFC 5545) whose events are days off, or of which `days` says so"),
    ] = None
    extra_working: Annotated[Days, Field(description="days of the weekend that are worked")] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for place, text in enumerate(self.exclude):
            if text in self.include or text in self.extra_working:
                detail = f"{text} is excluded, and taken back beside it"
                raise Refused(detail, "remove one of the two", at=("exclude", place))
        return self


def computed(calendar: Calendar, now_ms: int) -> dict[str, Any]:
    """Raises JobError where a place is not known."""
    this_year = datetime.fromtimestamp(now_ms / 1000, UTC).year
    years = range(this_year - YEARS_BACK, this_year + YEARS_AHEAD + 1)
    off, working = _expanded(calendar.exclude, years), _expanded(calendar.extra_working, years)
    known: list[date] = []
    if calendar.ical is not None:
        try:
            events = ical.days_of(ical.events_of(calendar.ical.text), years)
        except Refused as error:
            raise JobError((Problem(pointer_of("ical"), error.detail, error.hint),)) from None
        off, working = _with(off, working, events.days, calendar.ical.days)
        known += [] if events.known_until is None else [events.known_until]
    versions: dict[str, str] = {}
    for place, asked in enumerate(calendar.holidays):
        try:
            found = public_holidays.of(asked.country, asked.subdivision, years)
        except Refused as error:
            problem = Problem(pointer_of("holidays", place), error.detail, error.hint)
            raise JobError((problem,)) from None
        off, working = off | found.off, working | found.working
        known += [] if found.known_until is None else [found.known_until]
        versions["holidays"] = found.version
    off -= _expanded(calendar.include, years)
    off, working = _by_rules(calendar, off, working, years)
    whole = not calendar.holidays and not calendar.rules and calendar.ical is None and not any(
        _YEARLY.fullmatch(text) for text in (*calendar.exclude, *calendar.include, *calendar.extra_working)
    )
    until = min([*known, date(years.stop - 1, 12, 31)])
    return {
        "off": _texts(off - _expanded(calendar.include, years)),
        "working": _texts(working),
        "known_from": None if whole else date(years.start, 1, 1).isoformat(),
        "known_until": None if whole else until.isoformat(),
        "versions": versions,
    }


def _by_rules(
    calendar: Calendar, off: frozenset[date], working: frozenset[date], years: range
) -> tuple[frozenset[date], frozenset[date]]:
    """With the days of its rules: those of working days by what all others say."""
    weekend = {WEEK.index(name) for name in calendar.weekend}
    for asks in (False, True):
        so_far = (off, working)

        def works(day: date, so_far: tuple[frozenset[date], frozenset[date]] = so_far) -> bool:
            return day not in so_far[0] and (day.weekday() not in weekend or day in so_far[1])

        for rule in calendar.rules:
            if (rule.workday is not None) == asks:
                off, working = _with(off, working, frozenset(rule.dates(years, works)), rule.days)
    return off, working


def _with(
    off: frozenset[date], working: frozenset[date], days: frozenset[date], what: str
) -> tuple[frozenset[date], frozenset[date]]:
    return (off | days, working) if what == "off" else (off, working | days)


def _texts(days: frozenset[date]) -> list[str]:
    return [day.isoformat() for day in sorted(days)]


class Day(NamedTuple):
    day: date
    working: bool
    why: str  #: weekend, off, extra_working; empty: a day like others
    known: bool


def days(shape: Mapping[str, Any], first: date, last: date) -> Iterator[Day]:
    """What a stored calendar says of the days from the first to the last."""
    told = shape["computed"]
    off, working = frozenset(told["off"]), frozenset(told["working"])
    weekend = {WEEK.index(name) for name in shape["weekend"]}
    since = told["known_from"] or date.min.isoformat()
    until = told["known_until"] or date.max.isoformat()
    day = first
    while day <= last:
        text = day.isoformat()
        why = "off" if text in off else "weekend" if day.weekday() in weekend else ""
        if why == "weekend" and text in working:
            why = "extra_working"
        yield Day(day, why in ("", "extra_working"), why, since <= text <= until)
        day += timedelta(days=1)


CALENDAR = Kind(
    name="calendar",
    description="Which days are working days: weekend, public holidays, days of one's own.",
    example={"calendar": "berlin", "holidays": {"country": "DE", "subdivision": "BE"}, "exclude": ["12-24"]},
    one_or_several=("holidays",),
    model=Calendar,
    computed=computed,
    pin=lambda shape: str(dates_of(shape["namespace"], shape["calendar"], shape)["pin"]),
    other_words=("holidays", "workdays", "business_days"),
)
