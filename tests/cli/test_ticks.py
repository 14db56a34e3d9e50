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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cron", "0 0 31 2 *"), "it never fires: no month has such a day\n"),
        (("--cron", "0 0 30 12 *"), "nothing is due in that time\n"),
    ],
)
async def test_that_there_is_none_is_said(offline: Command, words: tuple[str, ...], said: str) -> None:
    result = await offline("ticks", *words, "--from", "2026-01-01", "--to", "2026-02-01", "-o", "json")
    assert (result.code, json.loads(result.out), result.err) == (0, [], said)


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
        (("--cron", "* * * * *", "--every", "1m"), "one of --cron, --every, --iso8601 and --job"),
        (("--iso8601", "R/P1D"), "R/2026-01-31T00:00:00Z/P1D"),
        (("--iso8601", "R/2026-01-01/P1D", "--tz", "Europe/Berln"), "Europe/Berlin"),
        (("--iso8601", "R2/2020-01-01/P1D"), "in the past"),
        (("--cron", "0~30 2 * * *"), "H(0-30) is a fixed one for each job"),
        (("--cron", "@every 10m"), "use the trigger `every: 10m`"),
        (("--cron", "CRON_TZ=Asia/Tokyo 0 2 * * *"), "say it beside it: `tz: Asia/Tokyo`"),
        ((), "one of --cron, --every, --iso8601 and --job"),
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


JOB = """
job: balance
run: ./balance.sh
triggers:
  - {schedule: month-end}
  - {cron: "0 9 1 * *", id: monthly}
  - {every: {delay: 10m}, id: again}
"""
BESIDE = """
schedule: month-end
triggers:
  - {cron: "0 18 L * *", id: close, jitter: 5m, calendar: {exclude: [house]}}
---
schedule: christmas
substitute: month-end
valid: {from: 2026-12-20T00:00:00Z, until: 2027-01-07T00:00:00Z}
triggers:
  - {at: 2026-12-30T17:00:00Z, id: early}
---
calendar: house
exclude: [01-31]
"""
TICKS = [
    "2026-12-01T09:00:00Z  monthly", "2026-12-30T17:00:00Z  month-end:christmas:early",
    "2027-01-01T09:00:00Z  monthly", "2027-02-01T09:00:00Z  monthly", "2027-02-28T18:00:00Z  month-end:close",
]  # fmt: skip
SPAN = ("--from", "2026-11-30T20:00:00Z", "--to", "2027-03-01T00:00:00Z")


async def test_all_triggers_of_a_job_by_its_schedule_and_calendars(offline: Command) -> None:
    (offline.folder / "job.yaml").write_text(JOB)
    (offline.folder / "beside.yaml").write_text(BESIDE)
    words = ("ticks", "--job", "job.yaml", "--schedule", "beside.yaml")

    lines = await offline(*words, *SPAN)
    assert lines.out.splitlines() == TICKS
    assert lines.err == "default/balance again: no instants, it counts from the end of the last run\n"

    (first,) = json.loads((await offline(*words, "--from", "2027-02-02", "--count", "1", "-o", "json")).out)
    assert (first["at"], first["job"], first["trigger"]) == (
        "2027-02-28T18:00:00Z", "default/balance", "month-end:close",
    )  # fmt: skip
    assert "2027-02-28T18:00:00Z" < first["due"] < "2027-02-28T18:05:00Z"


async def test_what_no_file_says_is_asked_of_the_cluster(cronclave: Command) -> None:
    (cronclave.folder / "job.yaml").write_text(JOB)
    (cronclave.folder / "beside.yaml").write_text(BESIDE)
    words = ("ticks", "--job", "job.yaml", *SPAN)
    missing = await cronclave(*words)
    assert (missing.code, "there is no schedule default/month-end" in missing.err) == (3, True)
    named = "run: 'true'\ntriggers: {schedule: month-end}\n"
    others = "---\n".join(f"job: of-it-{i}\n{named}" for i in range(120))
    (cronclave.folder / "others.yaml").write_text(others)
    assert (await cronclave("apply", "beside.yaml", "others.yaml")).code == 0
    assert (await cronclave(*words)).out.splitlines() == TICKS


WRONG = [
    (("--job", "job.yaml"), 2, "schedule default/month-end is in none of the files, and no cluster says it"),
    (("--job", "beside.yaml"), 1, "no job in beside.yaml"),
    (("--job", "job.yaml", "--every", "1h"), 2, "give one of --cron, --every, --iso8601 and --job"),
    (("--every", "1h", "--schedule", "beside.yaml"), 2, "--schedule says what a --job names"),
    (("--job", "wrong.yaml"), 1, "wrong.yaml:2:13 /triggers/cron"),
    (("--job", "job.yaml", "--from", "now", "--to", "2020-01-01"), 2, "--to is before --from"),
]


@pytest.mark.parametrize(("words", "code", "said"), WRONG, ids=[said for _, _, said in WRONG])
async def test_each_mistake_is_told(offline: Command, words: tuple[str, ...], code: int, said: str) -> None:
    (offline.folder / "job.yaml").write_text(JOB)
    (offline.folder / "beside.yaml").write_text(BESIDE)
    (offline.folder / "wrong.yaml").write_text('{job: a, noop: true,\n triggers: {cron: "99 * * * *"}}')
    found = await offline("ticks", *words)
    assert (found.code, said in found.err) == (code, True), found.err


async def test_a_schedule_says_what_comes_next(cronclave: Command) -> None:
    beside = BESIDE.replace("2026-12-20", "2020-01-01").replace("2027-01-07", "2100-01-01")
    (cronclave.folder / "beside.yaml").write_text(beside.replace("2026-12-30", "2099-12-30"))
    assert (await cronclave("apply", "beside.yaml")).code == 0
    found = await cronclave("schedule", "next", "month-end", "--count", "1", "-o", "json")
    assert json.loads(found.out) == [
        {"at": "2099-12-30T17:00:00Z", "trigger": "month-end:christmas:early", "substitute": "christmas"}
    ]
    table = (await cronclave("schedule", "next", "month-end")).out
    assert table.split()[:3] == ["TICK", "TRIGGER", "SUBSTITUTE"]
