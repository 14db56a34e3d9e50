"""Windows of a week, held against a walk minute by minute by the clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest

from scheduler.ticks import windows
from scheduler.ticks.windows import Opening, WindowError
from scheduler.ticks.zones import zone

MINUTE_MS = 60_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


def open_minutes(texts: list[str], tz: str, from_ms: int, until_ms: int) -> list[bool]:
    """By another way: each minute of the span is looked at by what clocks show, and by the jumps before."""
    info = ZoneInfo(tz)
    found = []
    for at_ms in range(from_ms, until_ms, MINUTE_MS):
        found.append(any(_is_open(text, info, at_ms) for text in texts))
    return found


def _is_open(text: str, info: ZoneInfo, at_ms: int) -> bool:
    days, _, span = text.rpartition(" ")
    begin, end = ((int(t[:2]) * 60 + int(t[3:])) for t in span.split("-"))
    end += 1_440 if end <= begin else 0
    now = datetime.fromtimestamp(at_ms / 1_000, UTC)
    for back in range(3):
        date = (now.astimezone(info) - timedelta(days=back)).date()
        if days and date.strftime("%a") not in days:
            continue
        midnight = datetime(date.year, date.month, date.day)
        opens, closes = (_first(midnight + timedelta(minutes=m), info) for m in (begin, end))
        if opens <= now < closes:
            return True
    return False


@lru_cache
def _first(naive: datetime, info: ZoneInfo) -> datetime:
    """The first instant whose reading is at or after this one."""
    at = naive.replace(tzinfo=UTC) - timedelta(hours=15)
    while at.astimezone(info).replace(tzinfo=None) < naive:
        at += timedelta(minutes=1)
    return at


@pytest.mark.parametrize(
    ("texts", "tz", "around"),
    [
        (["Mon,Tue,Wed,Thu,Fri 20:00-06:00"], "UTC", "2027-01-15T00:00:00+00:00"),
        (["Sat,Sun 01:30-02:30"], "Europe/Berlin", "2027-03-27T20:00:00+00:00"),  # 02:00 jumps to 03:00
        (["02:10-02:50"], "Europe/Berlin", "2027-03-27T20:00:00+00:00"),  # nothing is left of it
        (["02:30-04:00"], "Europe/Berlin", "2027-10-30T20:00:00+00:00"),  # 03:00 back to 02:00
        (["02:00-02:30"], "America/New_York", "2027-11-06T20:00:00+00:00"),
        (["01:15-01:45", "01:30-03:00"], "America/New_York", "2027-11-06T20:00:00+00:00"),
        (["00:00-00:20"], "America/Santiago", "2027-09-04T20:00:00+00:00"),  # midnight jumps to 01:00
        (["23:00-01:00"], "Australia/Lord_Howe", "2027-04-03T06:00:00+00:00"),  # by half an hour
    ],
)
def test_a_window_is_open_when_the_clock_on_the_wall_says_so(texts: list[str], tz: str, around: str) -> None:
    from_ms = ms(around)
    until_ms = from_ms + 20 * 3_600_000
    parsed = tuple(windows.parse(text) for text in texts)
    wanted = open_minutes(texts, tz, from_ms, until_ms)

    for place, at_ms in enumerate(range(from_ms, until_ms, MINUTE_MS)):
        found = windows.opening(parsed, zone(tz), at_ms)
        assert found.is_open == wanted[place], datetime.fromtimestamp(at_ms / 1_000, UTC)
        assert found.until_ms > at_ms
        if found.until_ms < until_ms:
            changes = (found.until_ms - from_ms) // MINUTE_MS
            assert wanted[place:changes] == [found.is_open] * (changes - place), "nothing changes before"
            assert wanted[changes] != found.is_open, "and then it does"


def test_a_window_of_friday_night_ends_on_saturday() -> None:
    friday = (windows.parse("Fri 20:00-06:00"),)
    at = ms("2027-01-15T19:59:59.999+00:00")

    assert windows.opening(friday, zone("UTC"), at) == Opening(False, at + 1)
    assert windows.opening(friday, zone("UTC"), at + 1) == Opening(True, ms("2027-01-16T06:00:00+00:00"))
    after = windows.opening(friday, zone("UTC"), ms("2027-01-16T06:00:00+00:00"))
    assert after == Opening(False, ms("2027-01-22T20:00:00+00:00"))


def test_what_is_open_all_the_time_is_looked_at_again() -> None:
    always = (windows.parse("00:00-24:00"),)
    found = windows.opening(always, zone("UTC"), ms("2027-01-15T00:00:00+00:00"))

    assert found.is_open
    assert found.until_ms > ms("2027-01-22T00:00:00+00:00")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("20:00-06:00", {0, 1, 2, 3, 4, 5, 6}),
        ("Mon-Fri 20:00-06:00", {0, 1, 2, 3, 4}),
        ("fri-Mon 20:00-06:00", {4, 5, 6, 0}),
        ("Sun,wed 20:00-06:00", {6, 2}),
        ("Mon-Tue,Sat 20:00-06:00", {0, 1, 5}),
    ],
)
def test_days_are_names_and_spans(text: str, days: set[int]) -> None:
    assert windows.parse(text).days == days


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("nonsense", "'nonsense' is no window"),
        ("8:00-9:00", "'8:00-9:00' is no window"),
        ("Mo 08:00-09:00", "'Mo' is no day of the week"),
        ("Mon- 08:00-09:00", "'Mon-' is no day of the week"),
        ("08:00-08:00", "begins and ends at the same time"),
        ("24:00-08:00", "a window begins before 24:00"),
        ("08:00-24:01", "24:01 is no time of a day"),
        ("08:60-09:00", "08:60 is no time of a day"),
    ],
)
def test_what_is_no_window_is_refused(text: str, detail: str) -> None:
    with pytest.raises(WindowError, match=detail):
        windows.parse(text)
