"""Thousands of random expressions, compared with two independent implementations."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter  # type: ignore[import-untyped]  # it ships no types
from cronsim import CronSim, CronSimError

from scheduler.ticks import cron_spec, parse_expression, schedule
from scheduler.ticks.expression import MONTHS, WEEKDAYS

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "UTC",
)
#: instants shortly before the jumps of these zones in 2026 and 2027, and quiet ones
STARTS = (
    datetime(2026, 3, 28, 11, 7, 3, tzinfo=UTC),
    datetime(2026, 10, 24, 9, tzinfo=UTC),
    datetime(2026, 3, 7, 20, tzinfo=UTC),
    datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC),
    datetime(2026, 4, 4, 2, tzinfo=UTC),
    datetime(2026, 10, 3, 1, tzinfo=UTC),
    datetime(2026, 2, 14, 13, tzinfo=UTC),
    datetime(2026, 3, 21, 14, tzinfo=UTC),
    datetime(2027, 7, 11, 12, 30, tzinfo=UTC),
    datetime(2027, 12, 31, 23, 59, tzinfo=UTC),
)


def _item(rng: random.Random, low: int, high: int, names: tuple[str, ...]) -> str:
    def spelled(value: int) -> str:
        return names[value - (1 if len(names) == 12 else 0)] if names and rng.random() < 0.3 else str(value)

    first, last = sorted((rng.randint(low, high), rng.randint(low, high)))
    kind = rng.random()
    # 5-5 is the whole field to croniter, and 5-5/2 is 5/2 to cronsim: neither is asked.
    if kind < 0.5 or (kind < 0.9 and first == last):
        return spelled(first)
    if kind < 0.8:
        return f"{spelled(first)}-{spelled(last)}"
    if kind < 0.9:
        return f"{first}-{last}/{rng.randint(1, high)}"
    return f"*/{rng.randint(1, high)}"


def _field(rng: random.Random, low: int, high: int, names: tuple[str, ...], star: float) -> str:
    if rng.random() < star:
        return "*"
    return ",".join(_item(rng, low, high, names) for _ in range(rng.choice((1, 1, 1, 2, 3))))


def random_expression(rng: random.Random) -> str:
    minute = _field(rng, 0, 59, (), 0.25)
    hour = rng.choice((_field(rng, 0, 23, (), 0.3), "1", "2", "1-3", "0,2", "*/2"))
    day = rng.choice((_field(rng, 1, 31, (), 0.6), "L", "1", "*"))
    month = _field(rng, 1, 12, MONTHS, 0.75)
    weekday = rng.choice((_field(rng, 0, 6, WEEKDAYS, 0.7), "*", "7", "5#2", "1L", "0"))
    return f"{minute} {hour} {day} {month} {weekday}"


@lru_cache
def packaged_zone(name: str) -> ZoneInfo:
    """The host's zone files may be older: an oracle has to read the same ones."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as source:
        return ZoneInfo.from_file(source, key=name)


def _ours(text: str, tz: str, dst: str, start: datetime, count: int) -> list[int]:
    spec = cron_spec(text, tz=tz, dst=dst)
    return schedule(spec).upcoming(round(start.timestamp() * 1000), count)


@pytest.mark.parametrize("seed", range(4))
def test_the_cron_policy_equals_cronsim_on_random_expressions_and_zones(seed: int) -> None:
    rng = random.Random(seed)
    compared = 0
    while compared < 500:
        text, tz, start = random_expression(rng), rng.choice(ZONES), rng.choice(STARTS)
        if tz == "Australia/Lord_Howe" and not parse_expression(text).fixed:
            continue  # cronsim goes on in steps of an hour, and half-hour jumps make it miss some
        try:
            oracle = CronSim(text, start.astimezone(packaged_zone(tz)))
        except CronSimError:  # it refuses a few impossible days that ours finds out by searching
            assert _ours(text, tz, "cron", start, 1) == [], (seed, text)
            continue
        expected = [round(instant.timestamp() * 1000) for instant in islice(oracle, 12)]
        assert _ours(text, tz, "cron", start, 12) == expected, (seed, text, tz, start)
        compared += 1


def test_the_literal_policy_is_what_the_clock_shows_minute_by_minute() -> None:
    rng = random.Random(13)
    compared = 0
    while compared < 60:
        text, tz, start = random_expression(rng), rng.choice(ZONES), rng.choice(STARTS).replace(second=0)
        try:
            fields = CronSim(text, start)
        except CronSimError:
            continue
        shown = []
        for minute in range(1, 2_000):
            instant = start + timedelta(minutes=minute)
            clock = instant.astimezone(packaged_zone(tz))
            time_fits = clock.minute in fields.minutes and clock.hour in fields.hours
            if time_fits and clock.month in fields.months and fields.match_day(clock.date()):
                shown.append(round(instant.timestamp() * 1000))
        from_ms = round(start.timestamp() * 1000)
        policy = "literal" if parse_expression(text).fixed else rng.choice(("literal", "cron"))
        ours = schedule(cron_spec(text, tz=tz, dst=policy)).between(from_ms, from_ms + 1_999 * 60_000)
        assert ours == shown, (text, tz, start, policy)
        compared += bool(shown)


def test_naive_instants_equal_croniters() -> None:
    rng = random.Random(7)
    for _ in range(500):
        fields = random_expression(rng).split()
        fields[2] = "*" if fields[4] != "*" else fields[2]  # croniter joins two given day fields otherwise
        if "*/" in fields[2] or "*/" in fields[4] or "L" in fields[4] or fields[2] == fields[4]:
            fields[4] = "*"
        text, start = " ".join(fields), rng.choice(STARTS).replace(second=0)
        try:
            oracle = croniter(text, start.replace(tzinfo=None), ret_type=datetime)
            expected = [oracle.get_next() for _ in range(8)]
        except ValueError:
            continue
        wanted = [round(instant.replace(tzinfo=UTC).timestamp() * 1000) for instant in expected]
        assert _ours(text, "UTC", "cron", start, 8) == wanted, text


@pytest.mark.parametrize("join", ["either", "both"])
def test_days_are_joined_as_asked(join: str) -> None:
    rng = random.Random(17)
    compared = 0
    while compared < 100:
        text, start = random_expression(rng), rng.choice(STARTS).replace(second=0)
        _, _, day, month, weekday = text.split()
        try:
            one, other = CronSim(f"0 0 {day} {month} *", start), CronSim(f"0 0 * {month} {weekday}", start)
        except CronSimError:
            continue
        dates = [(start + timedelta(days=n)).date() for n in range(400)]
        at = [(one.match_day(date), other.match_day(date)) for date in dates if date.month in one.months]
        wanted = sum(any(each) if join == "either" else all(each) for each in at)
        from_ms = round(datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp() * 1000) - 1
        spec = cron_spec(f"0 0 {day} {month} {weekday}", days=join)
        assert len(schedule(spec).between(from_ms, from_ms + 400 * 86_400_000)) == wanted, text
        compared += 1


@pytest.mark.parametrize("day", ["15W", "1W", "31W", "L", "LW", "3,L", "L-3", "L-30"])
def test_special_days_of_the_month(day: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = _ours(f"0 0 {day} * *", "UTC", "cron", start - timedelta(days=1), 12)
    days = [datetime.fromtimestamp(instant / 1000, UTC) for instant in found]
    if "W" in day:
        assert all(d.weekday() < 5 for d in days)
    if day == "L":
        assert all((d + timedelta(days=1)).day == 1 for d in days)
    if day == "L-3":
        assert [d.day for d in days] == [28, 25, 28, 27, 28, 27, 28, 28, 27, 28, 27, 28]
    if day == "L-30":
        assert [(d.month, d.day) for d in days][:5] == [(1, 1), (3, 1), (5, 1), (7, 1), (8, 1)]
    if day == "LW":
        assert [d.day for d in days] == [30, 27, 31, 30, 29, 30, 31, 31, 30, 30, 30, 31]
    if day == "3,L":
        assert [d.day for d in days] == [3, 31, 3, 28, 3, 31, 3, 30, 3, 31, 3, 30]
    if day == "15W":
        assert [d.day for d in days] == [15, 16, 16, 15, 15, 15, 15, 14, 15, 15, 16, 15]
    if day == "1W":
        assert [d.day for d in days] == [1, 2, 2, 1, 1, 1, 1, 3, 1, 1, 2, 1]


def test_seconds_equal_cronsims_in_utc() -> None:
    rng = random.Random(11)
    start = STARTS[0]
    for _ in range(300):
        text = f"{_field(rng, 0, 59, (), 0.3)} {random_expression(rng)}"
        try:
            oracle = CronSim(text, start)
        except CronSimError:
            continue
        expected = [round(instant.timestamp() * 1000) for instant in islice(oracle, 20)]
        assert _ours(text, "UTC", "cron", start, 20) == expected, text
