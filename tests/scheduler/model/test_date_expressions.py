"""Dates that are said by words, against an oracle that walks day by day."""

from __future__ import annotations

import re
from calendar import monthrange
from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.date_expressions import (
    COUNTS_MAX,
    MOVES_MAX,
    About,
    DateError,
    Known,
    Undated,
    evaluated,
    normal,
    parse,
)
from scheduler.model.quantities import parse_instant_ms
from scheduler.ticks.dates import Dates, day_of, written
from scheduler.ticks.zones import zone

FRIDAY = date(2027, 1, 15)
OFF = frozenset({date(2027, 1, 1), date(2027, 1, 18), date(2026, 12, 25)})
BERLIN = Known(
    "default/berlin",
    Dates(written("default/berlin", weekend=(5, 6), off=OFF, worked={date(2027, 1, 16)}, until=None)),
    day_of(date(2026, 1, 1)),
    day_of(date(2032, 12, 31)),
)


def about(day: date = FRIDAY, *, tz: str = "UTC", known: Known | None = BERLIN) -> About:
    return About(day_of(day), parse_instant_ms("2027-01-15T23:30:00Z"), zone(tz), lambda: known)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plan_date", "2027-01-15"),
        ("plan_date - 1 workday", "2027-01-14"),
        ("previous workday", "2027-01-14"),
        ("next workday", "2027-01-16"),  # a Saturday that is worked
        ("+ 2 workdays", "2027-01-19"),  # the Monday is off
        ("plan_date + 3 days", "2027-01-18"),
        ("- 2 weeks", "2027-01-01"),
        ("month_start", "2027-01-01"),
        ("month_end", "2027-01-31"),
        ("quarter_start", "2027-01-01"),
        ("quarter_end", "2027-03-31"),
        ("year_start", "2027-01-01"),
        ("year_end", "2027-12-31"),
        ("week_start", "2027-01-11"),
        ("week_end", "2027-01-17"),
        ("month_end + 1 month", "2027-02-28"),
        ("+ 1 month month_end", "2027-02-28"),
        ("- 1 year", "2026-01-15"),
        ("- 1 quarter", "2026-10-15"),
        ("last friday", "2027-01-08"),
        ("previous friday", "2027-01-08"),
        ("next friday", "2027-01-22"),
        ("next monday", "2027-01-18"),
        ("last friday of month", "2027-01-29"),
        ("first workday of month", "2027-01-04"),
        ("last workday of quarter", "2027-03-31"),
        ("last day of year", "2027-12-31"),
        ("first monday of quarter", "2027-01-04"),
        ("month_start - 1 day last workday of month", "2026-12-31"),
        ("tick", "2027-01-15"),
        ("tick + 1 hour", "2027-01-16"),
    ],
)
def test_what_words_say(text: str, told: str) -> None:
    assert evaluated("date", text, about()) == told


@pytest.mark.parametrize(
    ("text", "tz", "told"),
    [
        ("tick", "UTC", "2027-01-15T23:30:00Z"),
        ("plan_date", "Europe/Berlin", "2027-01-14T23:00:00Z"),
        ("tick - 90 minutes", "UTC", "2027-01-15T22:00:00Z"),
        ("tick - 1 day", "Europe/Berlin", "2027-01-14T23:30:00Z"),
        ("tick month_start", "Europe/Berlin", "2026-12-31T23:00:00Z"),
        ("tick + 90 days", "Europe/Berlin", "2027-04-15T22:30:00Z"),  # the same time of the day, in summer
        ("tick + 2160 hours", "Europe/Berlin", "2027-04-15T23:30:00Z"),
    ],
)
def test_instants_move_by_the_clocks_of_plan_dates(text: str, tz: str, told: str) -> None:
    assert evaluated("datetime", text, about(tz=tz)) == told


@pytest.mark.parametrize(
    ("text", "tick", "told"),
    [
        ("tick", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"),
        ("tick", "2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z"),
        ("tick - 1 hour", "2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z"),
        ("tick + 1 hour", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("tick - 30 minutes - 30 minutes", "2026-10-25T02:30:00Z", "2026-10-25T01:30:00Z"),
        ("tick + 1 day", "2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z"),  # of two, the first
        ("tick", "2026-12-01T10:00:00.250Z", "2026-12-01T10:00:00.250Z"),
        ("tick - 1 day", "2026-12-01T10:00:00.250Z", "2026-11-30T10:00:00.250Z"),
    ],
)
def test_an_hour_that_clocks_show_twice_is_two_hours(text: str, tick: str, told: str) -> None:
    then = about(tz="Europe/Berlin")._replace(at_ms=parse_instant_ms(tick))
    assert evaluated("datetime", text, then) == told


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "Pacific/Apia"])
@pytest.mark.parametrize(
    "text",
    ["- 100 years", "+ 7000 years", "- 58 years month_start", "tick + 7900 years",
     "tick - 60 years + 1 second", "+ 7972 years year_end + 1 day"],
)  # fmt: skip
def test_what_leaves_the_years_has_no_value(text: str, tz: str) -> None:
    with pytest.raises(Undated, match="leaves the years that there are"):
        evaluated("datetime", text, about(tz=tz))


@given(
    st.lists(
        st.tuples(
            st.sampled_from("+-"), st.integers(1, 10**4), st.sampled_from(("day", "year", "month", "hour"))
        ),
        max_size=9,
    ),
    st.sampled_from(("plan_date", "tick")),
    st.sampled_from(("date", "datetime")),
)
def test_every_text_that_is_taken_ends_in_a_value_or_in_none(
    moves: list[tuple[str, int, str]], first: str, kind: str
) -> None:
    text = " ".join([first, *(f"{sign} {count} {unit}s" for sign, count, unit in moves)])
    with suppress(DateError, Undated):
        assert evaluated(kind, text, about(tz="Europe/Berlin"))


def test_a_date_of_a_tick_is_that_of_the_plan_s_clocks() -> None:
    assert evaluated("date", "tick", about(tz="Europe/Berlin")) == "2027-01-16"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("plan_dat", "at 1: 'plan_dat' means nothing here", "did you mean plan_date?"),
        ("plan_date - 1 workdya", "at 15: 'workdya' means nothing here", "did you mean workday?"),
        ("plan_date - workday", "at 13: - is followed by a number", "such as - 1 day"),
        ("plan_date * 2", "at 11: '*' means nothing here", "such as"),
        ("plan_date +", "at 12: + is followed by a number", "such as + 1 day"),
        ("plan_date + 1", "at 14: it ends too early", "one of day"),
        ("plan_date + 0 days", "at 13: days are counted from 1 to", ""),
        (f"- {COUNTS_MAX + 1} days", "at 3: days are counted from 1 to", ""),
        ("month_strat", "at 1: 'month_strat' means nothing here", "did you mean month_start?"),
        ("month_start plan_date", "at 13: plan_date stands at the beginning alone", ""),
        ("today - 1 day", "at 1: 'today' means nothing here", "did you mean plan_date?"),
        ("yesterday", "at 1:", "did you mean plan_date - 1 day?"),
        ("ds", "at 1:", "did you mean plan_date?"),
        ("last workday", "at 1: of what is it the last", "last workday of month; or previous workday"),
        ("first monday", "at 1: of what is it the first monday?", "first monday of month; or next monday"),
        ("next friday of month", "at 1: next is of no month", "first or last friday of month"),
        ("last friday of weak", "at 16: 'weak' means nothing here", "month, quarter, year"),
        ("plan_date - 2 hours", "at 11: a date has no hours", "count from tick"),
        ("", "it is empty", "such as"),
        ("+ 1 day " * (MOVES_MAX + 1), "it has more than", ""),
        ("+ 1 day" + " " * 200, "letters long", ""),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_way_out(text: str, said: str, hint: str) -> None:
    with pytest.raises(DateError, match=re.escape(said)) as caught:
        parse(text, "date")
    assert hint in caught.value.hint


NO_DATES = ["2026-13-01", "2026-02-30", "2026-1-1", "20261231", "2026-12-31T00:00:00Z", "31.12.2026"]


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(DateError):
        normal("date", text)


def test_an_instant_is_told_in_utc() -> None:
    assert normal("datetime", "2026-12-31T23:00:00+01:00") == "2026-12-31T22:00:00Z"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("+ 6 years next workday", "calendar default/berlin knows days until 2032-12-31"),
        ("- 2 years previous workday", "calendar default/berlin knows days from 2026-01-01 on"),
        ("+ 9000 years", "leaves the years that there are"),
    ],
)
def test_what_nobody_knows_is_not_guessed(text: str, said: str) -> None:
    with pytest.raises(Undated, match=re.escape(said)):
        evaluated("date", text, about())


def test_without_a_calendar_there_are_no_workdays() -> None:
    with pytest.raises(Undated, match="no calendar says which days are workdays"):
        evaluated("date", "previous workday", about(known=None))


def test_a_calendar_without_workdays_ends() -> None:
    never = BERLIN._replace(
        dates=Dates(written("never", weekend=range(7), off=(), worked=(), until=None)), since=None, until=None
    )
    with pytest.raises(Undated, match="has no workday within"):
        evaluated("date", "next workday", about(known=never))


DAYS = st.dates(date(2026, 3, 1), date(2031, 12, 31))
STEPS = st.integers(1, 20)


@given(DAYS, STEPS, st.sampled_from("+-"))
def test_workdays_are_those_that_a_walk_day_by_day_counts(day: date, count: int, sign: str) -> None:
    step, here, left = timedelta(1 if sign == "+" else -1), day, count
    while left:
        here += step
        left -= here not in OFF and (here.weekday() < 5 or here == date(2027, 1, 16))
    assert evaluated("date", f"plan_date {sign} {count} workdays", about(day)) == here.isoformat()


@given(DAYS, STEPS, st.sampled_from("+-"))
def test_months_keep_the_day_or_end_with_their_last(day: date, count: int, sign: str) -> None:
    told = date.fromisoformat(evaluated("date", f"{sign} {count} months", about(day)))
    months = (told.year - day.year) * 12 + told.month - day.month
    assert months == (count if sign == "+" else -count)
    assert told.day == min(day.day, monthrange(told.year, told.month)[1])


@given(DAYS, st.integers(0, 6))
def test_weekdays_are_the_nearest_of_another_day(day: date, place: int) -> None:
    name = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[place]
    after = next(day + timedelta(n) for n in range(1, 8) if (day + timedelta(n)).weekday() == place)
    before = next(day - timedelta(n) for n in range(1, 8) if (day - timedelta(n)).weekday() == place)
    assert evaluated("date", f"next {name}", about(day)) == after.isoformat()
    assert evaluated("date", f"previous {name}", about(day)) == before.isoformat()


@given(DAYS, st.sampled_from(("month", "quarter", "year")))
def test_edges_hold_the_day_between_them(day: date, period: str) -> None:
    first, last = (
        date.fromisoformat(evaluated("date", f"{period}_{edge}", about(day))) for edge in ("start", "end")
    )
    assert first <= day <= last
    assert first.day == 1
    assert (last + timedelta(1)).day == 1
    days = {"month": range(27, 31), "quarter": range(89, 92), "year": range(364, 366)}
    assert (last - first).days in days[period]


@given(st.text(alphabet="plan_dtek monhsryquf+-0123456789", max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    with suppress(DateError):
        assert parse(text, "date").moves is not None
