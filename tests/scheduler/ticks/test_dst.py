"""The three policies on the days when clocks jump, written out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from scheduler.ticks import cron_spec, schedule
from scheduler.ticks.zones import zone


def ticks(text: str, tz: str, dst: str, day: str) -> list[str]:
    """The UTC times of the ticks on the local day and the morning after, to 06:00 UTC."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    offset = timedelta(seconds=zone(tz).offset_s(int(midnight.timestamp())))
    after = round((midnight - offset).timestamp() * 1000) - 1
    found = schedule(cron_spec(text, tz=tz, dst=dst)).between(after, after + 6 * 3_600_000)
    return [datetime.fromtimestamp(instant / 1000, UTC).strftime("%H:%M") for instant in found]


@pytest.mark.parametrize(
    ("text", "dst", "expected"),
    [
        ("30 2 * * *", "cron", ["01:00"]),  # right after the gap
        ("0,30 2 * * *", "cron", ["01:00"]),  # once, however many
        ("30 2,3 * * *", "cron", ["01:00", "01:30"]),
        ("0 2,3 * * *", "cron", ["01:00"]),  # 03:00 is the end of the gap itself
        ("30 2 * * *", "skip", []),
        ("30 2 * * *", "literal", []),
        ("*/30 2 * * *", "cron", []),  # a wildcard follows the clock
        ("30 * * * *", "cron", ["23:30", "00:30", "01:30", "02:30", "03:30", "04:30"]),
        ("30 1 * * *", "cron", ["00:30"]),
    ],
)
def test_a_gap_in_berlin(text: str, dst: str, expected: list[str]) -> None:
    assert ticks(text, "Europe/Berlin", dst, "2026-03-29") == expected


@pytest.mark.parametrize(
    ("text", "dst", "expected"),
    [
        ("30 2 * * *", "cron", ["00:30"]),  # the first of the two
        ("30 2 * * *", "skip", ["00:30"]),
        ("30 2 * * *", "literal", ["00:30", "01:30"]),
        ("*/30 2 * * *", "cron", ["00:00", "00:30", "01:00", "01:30"]),
        ("*/30 2 * * *", "skip", ["00:00", "00:30"]),
        ("0 2,3 * * *", "cron", ["00:00", "02:00"]),
        ("0 * * * *", "cron", ["22:00", "23:00", "00:00", "01:00", "02:00", "03:00"]),
        ("0 * * * *", "skip", ["22:00", "23:00", "00:00", "02:00", "03:00"]),
    ],
)
def test_an_overlap_in_berlin(text: str, dst: str, expected: list[str]) -> None:
    assert ticks(text, "Europe/Berlin", dst, "2026-10-25") == expected


def test_half_an_hour_on_lord_howe() -> None:
    assert ticks("15 2 * * *", "Australia/Lord_Howe", "cron", "2026-10-04") == ["15:30"]
    assert ticks("45 1 * * *", "Australia/Lord_Howe", "cron", "2026-04-05") == ["14:45"]
    assert ticks("45 1 * * *", "Australia/Lord_Howe", "literal", "2026-04-05") == ["14:45", "15:15"]


def test_a_whole_day_left_out_in_apia() -> None:
    # given: Samoa had no 30 December 2011
    start = datetime(2011, 12, 28, 12, tzinfo=UTC)
    spec = cron_spec("0 12 * * *", tz="Pacific/Apia", dst="cron")
    found = schedule(spec).upcoming(round(start.timestamp() * 1000), 4)
    told = [datetime.fromtimestamp(instant / 1000, UTC).strftime("%d %H:%M") for instant in found]
    # then: the 28th, the 29th, the one that was jumped over right after the jump, the 31st
    assert told == ["28 22:00", "29 22:00", "30 10:00", "30 22:00"]


def test_every_counts_elapsed_time_through_a_jump() -> None:
    from scheduler.ticks import every_spec

    start = round(datetime(2026, 3, 28, tzinfo=UTC).timestamp() * 1000)
    found = schedule(every_spec(86_400_000)).upcoming(start, 3)
    assert [b - a for a, b in pairwise(found)] == [86_400_000, 86_400_000]
