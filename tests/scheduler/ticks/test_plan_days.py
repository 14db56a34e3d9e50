"""Plan dates, against a walk over the wall clock minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from scheduler.ticks import plan_days, zones

DAY_MS = plan_days.DAY_MS


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def walked(tz: str, begin: str, at_ms: int) -> str:
    """The last date that has begun: the definition, by looking at each minute of the days before."""
    zone, begun = zones.zone(tz), date.min
    before: date | None = None
    for at_s in range(at_ms // 60_000 * 60 - 3 * 86_400, at_ms // 1_000 + 1, 60):
        wall = datetime.fromtimestamp(at_s + zone.offset_s(at_s), UTC)
        if wall.strftime("%H:%M") >= begin:
            begun = max(begun, wall.date())
        if before is not None and wall.date() - before > timedelta(days=1):
            begun = max(begun, wall.date() - timedelta(days=1))
        before = wall.date()
    return begun.isoformat()


@pytest.mark.parametrize(
    ("tz", "begin", "around"),
    [
        ("UTC", "00:00", "2026-05-05T00:00:00+00:00"),
        ("UTC", "06:00", "2026-05-05T06:00:00+00:00"),
        ("Europe/Berlin", "00:00", "2026-03-29T00:00:00+00:00"),
        ("Europe/Berlin", "02:30", "2026-03-29T01:00:00+00:00"),
        ("Europe/Berlin", "02:30", "2026-10-25T00:30:00+00:00"),
        ("Europe/Berlin", "06:00", "2026-10-25T05:00:00+00:00"),
        ("America/Havana", "00:00", "2025-11-02T05:00:00+00:00"),
        ("Africa/Cairo", "00:00", "2026-04-23T22:00:00+00:00"),
        ("Pacific/Apia", "06:00", "2026-04-04T17:00:00+00:00"),
        ("Asia/Kolkata", "18:15", "2026-07-01T12:45:00+00:00"),
        ("Australia/Lord_Howe", "01:45", "2026-10-03T15:30:00+00:00"),
    ],
)
def test_a_date_begins_where_the_wall_clock_says(tz: str, begin: str, around: str) -> None:
    pieces = plan_days.pieces(zones.zone(tz), begin, ms("2026-06-01T00:00:00+00:00"))
    for minutes in (-1441, -61, -31, -1, 0, 1, 29, 30, 31, 59, 60, 61, 1439, 1440, 1501):
        at_ms = ms(around) + minutes * 60_000
        assert plan_days.text_of(plan_days.day_of(pieces, at_ms)) == walked(tz, begin, at_ms), minutes


def test_it_never_goes_back_and_leaves_out_no_date_that_there_was() -> None:
    pieces = plan_days.pieces(zones.zone("America/Sao_Paulo"), "00:00", ms("2018-06-01T00:00:00+00:00"))
    at_ms, last = ms("2016-01-01T12:00:00+00:00"), None
    while at_ms < ms("2020-01-01T00:00:00+00:00"):
        day = plan_days.day_of(pieces, at_ms)
        assert last is None or last <= day <= last + 1
        at_ms, last = at_ms + 600_000, day


def test_a_date_that_clocks_jumped_over_is_nobodys() -> None:
    pieces = plan_days.pieces(zones.zone("Pacific/Apia"), "00:00", ms("2011-06-01T00:00:00+00:00"))
    jump = ms("2011-12-30T10:00:00+00:00")  # from the end of the 29th to the 31st
    assert plan_days.text_of(plan_days.day_of(pieces, jump - 1)) == "2011-12-29"
    assert plan_days.text_of(plan_days.day_of(pieces, jump)) == "2011-12-31"
    assert plan_days.text_of(plan_days.day_of(pieces, jump + DAY_MS)) == "2012-01-01"


def test_without_a_declaration_it_is_that_of_utc() -> None:
    assert plan_days.day_of((), 0) == plan_days.parse("1970-01-01") == 0
    assert plan_days.text_of(plan_days.day_of((), ms("2026-12-31T23:59:59+00:00"))) == "2026-12-31"
    assert plan_days.pieces(zones.zone("UTC"), "00:00", ms("2026-12-31T00:00:00+00:00"))[0][0] % DAY_MS == 0


def test_far_dates_go_on_as_the_last_that_is_known() -> None:
    pieces = plan_days.pieces(zones.zone("Europe/Berlin"), "06:00", ms("2026-06-01T00:00:00+00:00"))
    assert len(pieces) < plan_days.PIECES_MAX
    assert plan_days.text_of(plan_days.day_of(pieces, ms("2080-06-01T12:00:00+00:00"))) == "2080-06-01"
    assert plan_days.text_of(plan_days.day_of(pieces, ms("2001-06-01T12:00:00+00:00"))) == "2001-06-01"


@pytest.mark.parametrize(
    "text", ["2026-1-1", "20260101", "2026-02-30", "1969-12-31", "", "2026-12-31T00:00", "9000-01-01"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        plan_days.parse(text)
