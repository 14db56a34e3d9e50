"""Schedules by calendars: right values of other programs, and a walk that knows nothing of ours."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.ticks import (
    SpecError,
    at_spec,
    cron_spec,
    dated_spec,
    every_spec,
    iso8601_spec,
    never_reason,
    nominal_ms,
    pins_of,
    repinned,
    ruled,
    schedule,
    undated,
    valid_spec,
)
from scheduler.ticks.dated import NONWORKING
from scheduler.ticks.dates import Dates, day_of, written
from tests.scheduler.ticks.test_iso8601 import repeats
from tests.scheduler.ticks.test_oracles import random_expression

BERLIN = "Europe/Berlin"
EVE = datetime(2026, 1, 1, tzinfo=UTC)
BASE_MS = int(EVE.timestamp() * 1000)
DAY_MS = 86_400_000
ZONES = (
    "UTC",
    BERLIN,
    "America/St_Johns",
    "Africa/Cairo",
    "America/Santiago",
    "Pacific/Apia",
    "Asia/Kolkata",
)


def calendar(*off: str, name: str = "c", weekend: tuple[int, ...] = (5, 6), worked: tuple[str, ...] = (),
             until: str | None = None) -> dict[str, Any]:  # fmt: skip
    return written(
        name, weekend=weekend, off=map(date.fromisoformat, off), worked=map(date.fromisoformat, worked),
        until=None if until is None else date.fromisoformat(until),
    )  # fmt: skip


def local(spec: bytes, since: str, count: int, tz: str = BERLIN) -> list[str]:
    """The next ticks by the clocks of a zone."""
    after_ms = int(datetime.fromisoformat(since).replace(tzinfo=ZoneInfo(tz)).timestamp() * 1000) - 1
    found = schedule(spec).upcoming(after_ms, count)
    return [f"{datetime.fromtimestamp(ms / 1000, ZoneInfo(tz)):%Y-%m-%d %H:%M}" for ms in found]


def daily(at: str = "0 2 * * *", **fields: Any) -> bytes:
    return dated_spec(cron_spec(at, tz=BERLIN), **fields)


def test_days_off_are_left_out_by_the_date_of_the_trigger_s_zone() -> None:
    spec = daily("30 0 * * *", exclude=[calendar("2026-12-25")])
    # 00:30 in Berlin on the 25th is the 24th by UTC.
    assert local(spec, "2026-12-24", 2) == ["2026-12-24 00:30", "2026-12-26 00:30"]
    assert local(spec, "2026-12-26", 2)[1] == "2026-12-27 00:30", "a weekend is no day off"


def test_of_what_is_included_working_days_stay() -> None:
    closing = calendar(weekend=(0, 1, 2, 3, 4, 5, 6), worked=("2026-03-31", "2026-06-30"))
    spec = daily(include=[closing])
    assert local(spec, "2026-01-01", 5) == ["2026-03-31 02:00", "2026-06-30 02:00"]
    assert (
        never_reason(spec, BASE_MS + 300 * DAY_MS)
        == "it never fires: its calendars leave none of its instants"
    )
    both = daily(include=[closing, calendar(weekend=(0, 1, 2, 3, 4, 5, 6), worked=("2026-04-01",), name="d")])
    assert local(both, "2026-01-01", 2) == ["2026-03-31 02:00", "2026-04-01 02:00"]
    without = daily(include=[closing], exclude=[calendar("2026-03-31")])
    assert local(without, "2026-01-01", 5) == ["2026-06-30 02:00"]


@pytest.mark.parametrize(
    ("nonworking", "since", "wanted"),
    [
        ("suppress", "2026-05-29", ["2026-05-29 02:00", "2026-06-01 02:00"]),
        # A Saturday that ends a month: numpy and QuantLib say the same.
        ("after", "2026-05-30", ["2026-06-01 02:00"]),
        ("modified", "2026-05-29", ["2026-05-29 02:00"]),
        ("before", "2026-05-29", ["2026-05-29 02:00"]),
    ],
)
def test_what_falls_on_another_day_goes_where_the_trigger_says(
    nonworking: str, since: str, wanted: list[str]
) -> None:
    cron = "0 2 * * *" if nonworking == "suppress" else "0 2 30 5 *"
    assert local(daily(cron, exclude=[calendar()], nonworking=nonworking), since, len(wanted)) == wanted


def test_before_goes_over_a_day_off_too() -> None:
    spec = daily("0 2 2 5 *", exclude=[calendar("2026-05-01")], nonworking="before")
    assert local(spec, "2026-01-01", 1) == ["2026-04-30 02:00"]


def test_two_that_come_to_one_instant_are_one_tick() -> None:
    spec = daily(exclude=[calendar()], nonworking="after")
    assert local(spec, "2026-05-29", 3) == ["2026-05-29 02:00", "2026-06-01 02:00", "2026-06-02 02:00"]


@pytest.mark.parametrize(
    ("nonworking", "due", "nominal"),
    [
        ("after", "2026-06-01 02:00", None),  # a Monday, due by itself: the weekend's came to it
        ("before", "2026-05-29 02:00", None),
        ("after", "2026-05-26 02:00", "2026-05-25 02:00"),  # Whit Monday, on the one day that has none itself
        ("before", "2026-05-22 02:00", "2026-05-25 02:00"),  # of several the latest
    ],
)
def test_what_a_moved_tick_stood_for(nonworking: str, due: str, nominal: str | None) -> None:
    days = "0 2 * * *" if nominal is None else "0 2 23-25 5 *"
    spec = daily(days, exclude=[calendar("2026-05-25")], nonworking=nonworking)

    def ms(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp() * 1000)

    assert ms(due) in schedule(spec).between(ms(due) - 1, ms(due)), "it is a tick"
    assert nominal_ms(spec, ms(due)) == (None if nominal is None else ms(nominal))


def test_each_tick_that_was_moved_stood_for_one_of_the_bare_schedule() -> None:
    spec = daily("0 2 * * 6,0", exclude=[calendar("2026-12-25", "2026-12-28")], nonworking="modified")
    bare = schedule(undated(spec))
    for due_ms in schedule(spec).upcoming(BASE_MS, 60):
        stood_ms = nominal_ms(spec, due_ms)
        assert stood_ms is not None
        assert bare.between(stood_ms - 1, stood_ms) == [stood_ms]
    assert nominal_ms(daily(exclude=[calendar()], nonworking="suppress"), BASE_MS) is None
    assert nominal_ms(cron_spec("0 2 * * *"), BASE_MS) is None


def test_a_time_that_the_clocks_jump_over_where_it_is_moved_to_comes_right_after() -> None:
    spec = daily("30 2 28 3 *", exclude=[calendar(weekend=(5,))], nonworking="after")
    assert local(spec, "2026-03-01", 1) == ["2026-03-29 03:00"]


@pytest.mark.parametrize(
    ("workday", "wanted"),
    [
        ((1, "month"), ["2026-01-02 02:00", "2026-02-02 02:00", "2026-03-02 02:00"]),
        ((-1, "month"), ["2026-01-30 02:00", "2026-02-27 02:00", "2026-03-31 02:00"]),
        ((3, "quarter"), ["2026-01-06 02:00", "2026-04-03 02:00"]),
        ((-1, "year"), ["2026-12-31 02:00", "2027-12-31 02:00"]),
        ((22, "month"), ["2026-03-31 02:00", "2026-04-30 02:00", "2026-06-30 02:00"]),
    ],
)
def test_the_nth_working_day(workday: tuple[int, str], wanted: list[str]) -> None:
    spec = daily(exclude=[calendar("2026-01-01")], workday=workday)
    assert local(spec, "2026-01-01", len(wanted)) == wanted


def test_after_what_is_known_a_day_is_not_off_and_its_weekend_is_known() -> None:
    known = calendar("2026-12-25", until="2026-12-31")
    spec = daily(exclude=[known], nonworking="suppress")
    assert local(spec, "2027-12-24", 2) == ["2027-12-24 02:00", "2027-12-27 02:00"]
    assert Dates(known).knows(day_of(date(2026, 12, 31)))
    assert not Dates(known).knows(day_of(date(2027, 1, 1)))


def test_a_spec_carries_its_dates_and_another_pin_stands_for_others() -> None:
    one, other = calendar("2026-12-25", name="default/c"), calendar("2026-12-24", name="default/c")
    assert one["pin"] != other["pin"] == calendar("2026-12-24", name="x")["pin"]
    spec = daily(exclude=[one])
    assert pins_of(spec) == ((f"/{BERLIN}", ""), ("default/c", one["pin"])), "its zone as well"
    assert repinned(spec, other) == daily(exclude=[other])
    assert undated(spec) == cron_spec("0 2 * * *", tz=BERLIN)
    assert pins_of(cron_spec("0 2 * * *")) == ()
    assert pins_of(ruled(cron_spec("0 2 * * *", tz=BERLIN), "0c5d")) == ((f"/{BERLIN}", "0c5d"),)


@pytest.mark.parametrize(
    "said",
    [
        {"exclude": [calendar()], "nonworking": "sideways"},
        {"exclude": [{"off": "x"}]},
        {"exclude": [{"off": [True]}]},
        {"exclude": [calendar()], "workday": ("1", "month")},
        {"exclude": [calendar()], "workday": (1, "week")},
    ],
)
def test_what_is_no_calendar_is_no_spec(said: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="not a trigger spec"):
        schedule(daily(**said))


def test_instants_by_the_second_do_not_move() -> None:
    spec = dated_spec(every_spec(1_000), exclude=[calendar()], nonworking="after")
    with pytest.raises(SpecError, match="do not move"):
        schedule(spec)


def test_a_rare_day_of_a_busy_schedule_is_found_without_looking_at_all_others() -> None:
    closing = calendar(weekend=(0, 1, 2, 3, 4, 5, 6), worked=("2031-06-30",))
    spec = dated_spec(every_spec(100), include=[closing])
    assert schedule(spec).next(BASE_MS) == int(datetime(2031, 6, 30, tzinfo=UTC).timestamp() * 1000)


# -- an independent walk ----------------------------------------------------------------------------


class Walk:
    """All that a spec says, done the slow way: by `datetime` and `zoneinfo`, day by day."""

    def __init__(self, off: set[date], worked: set[date], weekend: set[int], tz: str) -> None:
        self.off, self.worked, self.weekend, self.zone = off, worked, weekend, ZoneInfo(tz)

    def works(self, day: date) -> bool:
        return day not in self.off and (day.weekday() not in self.weekend or day in self.worked)

    def of(self, at_ms: int) -> datetime:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(self.zone)

    def moved(self, at_ms: int, nonworking: str) -> int | None:
        when = self.of(at_ms)
        if self.works(when.date()):
            return at_ms
        if nonworking == "suppress":
            return None
        near = {step: self.near(when.date(), step) for step in (-1, 1)}
        to = near[-1] if nonworking == "before" else near[1]
        if nonworking == "modified" and (to is None or (to.year, to.month) != (when.year, when.month)):
            to = near[-1]
        return None if to is None else self.instant_ms(to, when.time())

    def near(self, day: date, step: int) -> date | None:
        for _ in range(370):
            day += timedelta(days=step)
            if self.works(day):
                return day
        return None

    def instant_ms(self, day: date, clock: time) -> int:
        naive = datetime.combine(day, clock.replace(tzinfo=None, fold=0))
        at = naive.replace(tzinfo=self.zone).astimezone(UTC)
        if at.astimezone(self.zone).replace(tzinfo=None) != naive:  # jumped over: the first instant after it
            at = naive.replace(tzinfo=self.zone, fold=1).astimezone(UTC).replace(second=0, microsecond=0)
            while at.astimezone(self.zone).replace(tzinfo=None) < naive:
                at += timedelta(minutes=1)
            while (at - timedelta(minutes=1)).astimezone(self.zone).replace(tzinfo=None) > naive:
                at -= timedelta(minutes=1)
        return round(at.timestamp() * 1000)

    def workday(self, day: date, nth: int, months: int) -> bool:
        first = date(day.year, (day.month - 1) // months * months + 1, 1)
        period = (first.year * 12 + first.month - 1) // months
        days = [first + timedelta(days=n) for n in range(366)]
        days = [each for each in days if (each.year * 12 + each.month - 1) // months == period]
        worked = [each for each in days if self.works(each)]
        place = nth - 1 if nth > 0 else nth
        return -len(worked) <= place < len(worked) and worked[place] == day


@st.composite
def cases(draw: st.DrawFn) -> tuple[bytes, bytes, Walk, dict[str, Any]]:
    """A spec by a calendar, the one without it, and the walk."""
    tz = draw(st.sampled_from(ZONES))
    days = st.dates(date(2025, 12, 1), date(2027, 1, 31))
    off, worked = draw(st.sets(days, max_size=40)), draw(st.sets(days, max_size=20))
    weekend = draw(st.sets(st.integers(0, 6), max_size=6))
    kind = draw(st.sampled_from(["cron", "cron", "cron", "iso8601", "every"]))
    if kind == "every":
        tz, bare = "UTC", every_spec(draw(st.integers(600_000, 10**9)), draw(st.integers(0, BASE_MS)))
    elif kind == "iso8601":
        bare = iso8601_spec(draw(repeats()), tz)
    else:
        rng = random.Random(draw(st.integers(0, 10**6)))
        text = random_expression(rng)
        if len(text.split()) > 5 or schedule(cron_spec(text)).per_day > 200:
            text = f"{rng.randrange(60)} {rng.randrange(24)} * * *"
        bare = cron_spec(text, tz=tz, dst=draw(st.sampled_from(["cron", "skip", "literal"])))
    said: dict[str, Any] = {"nonworking": draw(st.sampled_from(NONWORKING))}
    if schedule(bare).per_day > 200:
        said["nonworking"] = draw(st.sampled_from(["ignore", "suppress"]))
    if draw(st.booleans()) and said["nonworking"] == "ignore":
        said["workday"] = (
            draw(st.sampled_from([1, 2, 5, 15, -1, -3])),
            draw(st.sampled_from(["month", "quarter", "year"])),
        )
    pinned = written("c", weekend=weekend, off=off, worked=worked, until=None)
    said |= draw(st.sampled_from([{"include": [pinned]}, {"exclude": [pinned]}]))
    return dated_spec(bare, **said), bare, Walk(off, worked, weekend, tz), said


@settings(max_examples=120, deadline=None)
@given(cases(), st.integers(0, 300), st.integers(1, 40))
def test_ticks_are_those_of_a_walk_over_every_day(
    case: tuple[bytes, bytes, Walk, dict[str, Any]], start: int, length: int
) -> None:
    spec, bare, walk, said = case
    after_ms, until_ms = BASE_MS + start * DAY_MS, BASE_MS + (start + length) * DAY_MS
    wide = schedule(bare).between(after_ms - 400 * DAY_MS, until_ms + 400 * DAY_MS, 10**6)
    if said["nonworking"] in ("ignore", "suppress"):
        wide = [ms for ms in wide if after_ms < ms <= until_ms]
    expected: set[int] = set()
    for at_ms in wide:
        day = walk.of(at_ms).date()
        if "workday" in said:
            nth, of = said["workday"]
            found = at_ms if walk.workday(day, nth, {"month": 1, "quarter": 3, "year": 12}[of]) else None
        elif said["nonworking"] == "ignore":
            found = at_ms if (walk.works(day) if "include" in said else day not in walk.off) else None
        else:
            found = walk.moved(at_ms, said["nonworking"])
        if found is not None and after_ms < found <= until_ms:
            expected.add(found)
    assert schedule(spec).between(after_ms, until_ms, 10**6) == sorted(expected)


@settings(max_examples=80, deadline=None)
@given(cases(), st.tuples(*[st.integers(0, 300 * DAY_MS)] * 3), st.booleans())
def test_a_range_gives_the_same_ticks_however_it_is_cut(
    case: tuple[bytes, bytes, Walk, dict[str, Any]], cuts: tuple[int, int, int], valid: bool
) -> None:
    spec = case[0]
    a, b, c = (BASE_MS + cut for cut in sorted(cuts))
    if valid:
        spec = valid_spec(spec, a, c)
    whole = schedule(spec).between(a, c, 10**6)
    assert whole == schedule(spec).between(a, b, 10**6) + schedule(spec).between(b, c, 10**6)
    assert all(x < y for x, y in pairwise(whole))
    assert schedule(spec).between(a, c, 5) == whole[:5]
    if whole:
        assert schedule(spec).next(a) == whole[0]
        assert schedule(spec).upcoming(a, 3)[: len(whole)] == whole[:3]


def test_one_instant_that_is_decades_ahead_is_found() -> None:
    far = int(datetime(2199, 6, 1, 8, tzinfo=UTC).timestamp() * 1000)  # a Saturday
    assert schedule(dated_spec(at_spec(far), exclude=[calendar()])).next(BASE_MS) == far
    for nonworking, days in (("after", 2), ("before", -1)):
        spec = dated_spec(at_spec(far), exclude=[calendar()], nonworking=nonworking)
        assert schedule(spec).next(BASE_MS) == far + days * DAY_MS
    spec = dated_spec(at_spec(far), exclude=[calendar()], nonworking="suppress")
    assert schedule(spec).next(BASE_MS) is None


def test_one_instant_moves_too() -> None:
    saturday = int(datetime(2026, 5, 30, 8, tzinfo=UTC).timestamp() * 1000)
    spec = dated_spec(at_spec(saturday), exclude=[calendar()], nonworking="after")
    assert schedule(spec).upcoming(BASE_MS, 5) == [saturday + 2 * DAY_MS]
