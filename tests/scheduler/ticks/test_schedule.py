"""Promises of every schedule: any cut of a range, order, no doubles, agreement of the three questions."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.ticks import (
    SpecError,
    UnknownZoneError,
    at_spec,
    cron_spec,
    event_spec,
    ever_matches,
    every_spec,
    iso8601_spec,
    jitter_ms,
    lint,
    never_reason,
    parse_expression,
    schedule,
    tzdata_version,
    valid_spec,
)
from scheduler.ticks.expression import JOINS
from scheduler.ticks.month_days import month_days
from scheduler.ticks.zones import zone
from tests.scheduler.ticks.test_iso8601 import repeats
from tests.scheduler.ticks.test_oracles import ZONES, random_expression

YEAR_MS = 366 * 86_400_000
BASE_MS = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)


@st.composite
def specs(draw: st.DrawFn) -> bytes:
    spec = draw(unbounded_specs())
    if not draw(st.booleans()):
        return spec
    first, last = sorted(draw(st.tuples(*[st.integers(BASE_MS, BASE_MS + YEAR_MS)] * 2)))
    return valid_spec(spec, *draw(st.sampled_from([(first, None), (None, last), (first, last + 1)])))


@st.composite
def unbounded_specs(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["cron", "cron", "cron", "every", "at", "iso8601"]))
    if kind == "iso8601":
        return iso8601_spec(draw(repeats()), draw(st.sampled_from([None, *ZONES])))
    if kind == "every":
        return every_spec(draw(st.integers(60_000, 10**9)), draw(st.integers(0, BASE_MS + YEAR_MS)))
    if kind == "at":
        return at_spec(draw(st.integers(BASE_MS, BASE_MS + YEAR_MS)))
    text = random_expression(random.Random(draw(st.integers(0, 10**6))))
    policy, days = draw(st.sampled_from(["cron", "skip", "literal"])), draw(st.sampled_from(JOINS))
    return cron_spec(text, tz=draw(st.sampled_from(ZONES)), dst=policy, days=days)


@settings(max_examples=300, deadline=None)
@given(specs(), st.tuples(*[st.integers(0, YEAR_MS)] * 3))
def test_a_range_gives_the_same_ticks_however_it_is_cut(spec: bytes, cuts: tuple[int, int, int]) -> None:
    a, b, c = (BASE_MS + cut for cut in sorted(cuts))
    limit = 10**6
    whole = schedule(spec).between(a, c, limit)
    assert whole == schedule(spec).between(a, b, limit) + schedule(spec).between(b, c, limit)
    assert all(x < y for x, y in pairwise(whole))
    assert all(a < tick <= c for tick in whole)
    assert schedule(spec).between(a, c, 5) == whole[:5]
    coming = schedule(spec).next(a)
    if whole:
        assert coming == whole[0]
    else:
        assert coming is None or coming > c
    assert schedule(spec).upcoming(a, 3)[: len(whole)] == whole[:3]


@settings(max_examples=100, deadline=None)
@given(specs(), st.integers(0, YEAR_MS))
def test_stepping_by_next_gives_the_range(spec: bytes, start: int) -> None:
    at: int | None = BASE_MS + start
    stepped: list[int] = []
    while len(stepped) < 10 and at is not None:
        at = schedule(spec).next(at)
        if at is not None:
            stepped.append(at)
    assert stepped == schedule(spec).upcoming(BASE_MS + start, 10)


def test_every_is_anchored_at_the_epoch_or_at_its_start() -> None:
    assert schedule(every_spec(900_000)).upcoming(BASE_MS + 1, 2) == [BASE_MS + 900_000, BASE_MS + 1_800_000]
    start = BASE_MS + 1_234
    assert schedule(every_spec(60_000, start)).upcoming(BASE_MS - 10**9, 2) == [start, start + 60_000]
    assert schedule(every_spec(60_000, start)).next(start) == start + 60_000


def test_at_fires_once_and_manual_never() -> None:
    assert schedule(at_spec(BASE_MS)).next(BASE_MS - 1) == BASE_MS
    assert schedule(at_spec(BASE_MS)).next(BASE_MS) is None
    assert schedule(event_spec("boot/web")).next(0) is None
    assert never_reason(event_spec("boot/web"), BASE_MS) is None


def test_what_is_valid_from_and_until() -> None:
    every_day = cron_spec("0 12 * * *")
    noon, day = BASE_MS + 43_200_000, 86_400_000
    assert schedule(valid_spec(every_day, noon, noon + 2 * day)).upcoming(0, 9) == [noon, noon + day]
    assert schedule(valid_spec(every_day, noon + 1, None)).next(0) == noon + day
    assert schedule(valid_spec(every_day, None, noon)).next(noon - day) is None
    over = valid_spec(every_day, None, noon)
    assert never_reason(over, noon - 2 * day) is None
    assert never_reason(over, noon) == "none of its instants is within its span"
    assert "no month has such a day" in str(never_reason(valid_spec(cron_spec("0 0 30 2 *"), 0, None), 0))


def test_every_second_is_every_second() -> None:
    found = schedule(cron_spec("* * * * * *", tz="Europe/Berlin")).between(BASE_MS, BASE_MS + 3_600_000)
    assert found == list(range(BASE_MS + 1000, BASE_MS + 3_601_000, 1000))


def test_what_never_fires_says_why() -> None:
    assert "no month has such a day" in str(never_reason(cron_spec("0 0 30 2 *"), BASE_MS))
    assert "no month has such a day" in str(never_reason(cron_spec("0 0 31 4,6,9,11 *"), BASE_MS))
    only_in_the_gap = cron_spec("30 2 * 3 0L", tz="Europe/Berlin", dst="skip")
    assert "exist on no day" in str(never_reason(only_in_the_gap, BASE_MS))
    assert "in the past" in str(never_reason(at_spec(BASE_MS), BASE_MS))
    assert never_reason(cron_spec("0 0 29 2 *"), BASE_MS) is None


@pytest.mark.parametrize("days", ["1", "30", "31", "29-31", "L", "L-30", "31W", "29"])
@pytest.mark.parametrize("weekdays", ["*", "1", "1#5", "5L"])
def test_a_day_that_some_month_has_comes_within_what_is_searched(days: str, weekdays: str) -> None:
    for months in ("*", "2", "4,6", "12"):
        text = f"7 3 {days} {months} {weekdays}"
        found = schedule(cron_spec(text)).next(0)
        assert ever_matches(parse_expression(text, "")) == (found is not None), text


def test_the_rarest_dates_are_found() -> None:
    found = schedule(cron_spec("0 0 29 2 */7")).upcoming(BASE_MS, 2)  # a 29 February that is a Sunday
    assert [datetime.fromtimestamp(tick / 1000, UTC).year for tick in found] == [2032, 2060]


@pytest.mark.parametrize(
    "spec", [b"", b"[]", b"{}", b'{"every_ms":0}', b'{"iso8601":"R0/2026-01-01/P1D"}', b'{"iso8601":7}',
     b'{"iso8601":"R/2026-01-01/P1D","tz":"x"}', b'{"every_ms":1,"valid":7}',
     b'{"every_ms":1,"valid":{"from_ms":"x"}}', b'{"cron":"* * * * *","days":"x"}',
     b'{"cron":5}', b'{"cron":"* * * * *","dst":"x"}',
     b'{"cron":"* * * * *","dst":[]}', b'{"cron":"* * *"}', b'{"cron":"* * * * *","tz":"Europe/Berln"}',
     b'{"cron":"* * * * *","tz":7}', b"9" * 5_000]
)  # fmt: skip
def test_bytes_that_are_no_spec_are_refused(spec: bytes) -> None:
    with pytest.raises(SpecError):
        schedule(spec)


@pytest.mark.parametrize("name", ["Europe/Berln", "../etc/passwd", "", "europe/berlin", "posixrules"])
def test_unknown_zones_are_refused(name: str) -> None:
    with pytest.raises(UnknownZoneError):
        zone(name)


@pytest.mark.parametrize(
    ("windows", "iana"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"), ("Eastern Standard Time", "America/New_York"),
        ("China Standard Time", "Asia/Shanghai"), ("w. europe standard time", "Europe/Berlin"),
        ("UTC-11", "Etc/GMT+11"),
    ],
)  # fmt: skip
def test_a_windows_zone_gets_its_iana_name_as_a_hint(windows: str, iana: str) -> None:
    with pytest.raises(UnknownZoneError) as caught:
        zone(windows)
    assert caught.value.similar == (iana,)


def test_the_zone_that_means_not_set_is_refused() -> None:
    with pytest.raises(UnknownZoneError, match="the time zone Factory means: not set"):
        zone("Factory")


@pytest.mark.parametrize("expression", ["0 0 30W 2 *", "0 0 31W 2,4,6,9,11 *", "0 0 31w 2 *"])
def test_a_nearest_weekday_of_a_day_that_no_month_has_never_fires(expression: str) -> None:
    assert never_reason(cron_spec(expression), BASE_MS) == "it never fires: no month has such a day"


@pytest.mark.parametrize(
    ("day", "days"),
    [
        ("31W", ["01-30", "03-31", "05-29", "07-31", "08-31", "10-30", "12-31"]),
        ("30W", ["01-30", "03-30", "04-30", "05-29", "06-30", "07-30", "08-31"]),
        ("LW", ["01-30", "02-27", "03-31", "04-30", "05-29", "06-30", "07-31"]),
        ("31W,28", ["01-28", "01-30", "02-28", "03-28", "03-31", "04-28", "05-28"]),
    ],
)
def test_a_nearest_weekday_past_the_months_end_is_none(day: str, days: list[str]) -> None:
    start_ms = 1_767_225_600_000  # 2026-01-01T00:00:00Z
    found = schedule(cron_spec(f"0 12 {day} * *")).upcoming(start_ms, 7)
    assert [f"{datetime.fromtimestamp(tick / 1000, UTC):%m-%d}" for tick in found] == days
    said = [remark for remark in lint(f"0 12 {day} * *") if "fires in months that have" in remark]
    assert bool(said) is (day != "LW")


def test_zones_come_from_the_package_and_not_from_the_host() -> None:
    import zoneinfo

    zone.cache_clear()
    zoneinfo.reset_tzpath(to=["/nonexistent"])
    try:
        assert zone("America/New_York").offset_s(BASE_MS // 1000) == -5 * 3_600
    finally:
        zoneinfo.reset_tzpath()
    assert tzdata_version()[:4].isdigit()


def test_jitter_is_constant_bounded_and_spread() -> None:
    offsets = [jitter_ms("default", f"job-{i}", "key", 30_000) for i in range(500)]
    assert offsets == [jitter_ms("default", f"job-{i}", "key", 30_000) for i in range(500)]
    assert all(0 <= offset < 30_000 for offset in offsets)
    assert len(set(offsets)) > 450
    assert jitter_ms("default", "job", "key", 0) == 0


def test_a_yearly_job_is_asked_for_decades_without_looking_at_every_month() -> None:
    """`verify` asks each schedule for the whole range: 100,000 of such jobs took a minute."""
    spec = cron_spec("17 3 29 2 *")
    from_ms, to_ms = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1000 for year in (1972, 2027))
    month_days.cache_clear()
    found = schedule(spec).between(from_ms, to_ms)
    assert len(found) == 14
    assert month_days.cache_info().misses <= 55 + 1, "a look at each February and the first month"
    assert len(list(zone("UTC").segments(from_ms // 1000, to_ms // 1000))) == 1
