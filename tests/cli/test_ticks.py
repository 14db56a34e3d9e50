"""`cronclave ticks`, offline, against an independent implementation."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from tests.cli.conftest import Command

FROM, TO = "2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z"


@pytest.mark.parametrize(
    ("expression", "zone"),
    [("0 2 * * 1-5", "UTC"), ("*/20 9-17 1,15 * *", "America/New_York"), ("30 14 L * *", "Asia/Kolkata")],
)
async def test_the_instants_are_those_of_cronsim(offline: Command, expression: str, zone: str) -> None:
    words = ("ticks", "--cron", expression, "--tz", zone, "--from", FROM, "--to", TO)

    as_json = await offline(*words, "-o", "json")
    as_lines = await offline(*words)

    start, end = datetime.fromisoformat(FROM), datetime.fromisoformat(TO)
    expected = []
    for moment in CronSim(expression, start.astimezone(ZoneInfo(zone))):
        if moment > end:
            break
        expected.append(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert json.loads(as_json.out) == expected
    assert as_lines.out.split() == expected
    assert expected


async def test_the_range_leaves_its_start_out_and_takes_its_end_in(offline: Command) -> None:
    words = ("ticks", "--cron", "0 * * * *", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T02:00:00Z")

    result = await offline(*words, "-o", "json")

    assert json.loads(result.out) == ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]


async def test_without_an_end_the_count_decides(offline: Command) -> None:
    result = await offline("ticks", "--every", "15m", "--from", "2026-01-01", "--count", "3")

    start = datetime(2026, 1, 1, tzinfo=UTC)
    expected = [(start + timedelta(minutes=15 * i)).strftime("%Y-%m-%dT%H:%M:%SZ") for i in (1, 2, 3)]
    assert result.out.split() == expected


async def test_a_repeat_and_days_that_both_have_to_match(offline: Command) -> None:
    first = ("--iso8601", "R3//P1M", "--from", "2026-01-31")
    assert (await offline("ticks", *first)).out.split() == [
        "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z",
    ]  # fmt: skip
    days = ("--iso8601", "R3/2026-03-28/P1D", "--tz", "Europe/Berlin", "--from", "2026-01-01")
    repeat = await offline("ticks", *days)
    assert repeat.out.split() == ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]

    both = ("--cron", "0 0 13 * 5", "--days", "both", "--from", "2026-01-01", "--count", "2")
    assert (await offline("ticks", *both)).out.split() == ["2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cron", "61 * * * *"), "minute"),
        (("--cron", "0 0 30 2 *"), "never fires"),
        (("--cron", "0 2 * * *", "--tz", "Europe/Berln"), "Europe/Berlin"),
        (("--cron", "* * * * *", "--every", "1m"), "one of --cron, --every and --iso8601"),
        (("--iso8601", "R/P1D"), "R/2026-01-31T00:00:00Z/P1D"),
        (("--iso8601", "R/2026-01-01/P1D", "--tz", "Europe/Berln"), "Europe/Berlin"),
        (("--iso8601", "R2/2020-01-01/P1D"), "in the past"),
        (("--cron", "0~30 2 * * *"), "H(0-30) is a fixed one for each job"),
        (("--cron", "@every 10m"), "use the trigger `every: 10m`"),
        (("--cron", "CRON_TZ=Asia/Tokyo 0 2 * * *"), "say it beside it: `tz: Asia/Tokyo`"),
        ((), "one of --cron, --every and --iso8601"),
        (("--cron", "* * * * *", "--from", "2026-01-01T00:00:00"), "zone"),
    ],
)
async def test_what_is_wrong_is_said(offline: Command, words: tuple[str, ...], said: str) -> None:
    result = await offline("ticks", *words)

    assert result.code == 2
    assert said in result.err


async def test_a_line_feed_behind_an_expression_is_no_part_of_it(offline: Command) -> None:
    words = ("--from", "2026-01-01T00:00:00Z", "--count", "2")

    fed = await offline("ticks", "--cron", "0 2 * * *\n", *words)
    plain = await offline("ticks", "--cron", "0 2 * * *", *words)

    assert fed.out == plain.out != ""
