"""What an expression means, and what is said about one that means nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest

from scheduler.ticks import CronError, lint, parse_expression


@pytest.mark.parametrize(
    ("text", "field", "position", "reason"),
    [
        ("61 * * * *", "minute", 0, "61 is outside 0-59"),
        ("* 24 * * *", "hour", 2, "24 is outside 0-23"),
        ("0 0 0 * *", "day of month", 4, "0 is outside 1-31"),
        ("0 0 1 13 *", "month", 6, "13 is outside 1-12"),
        ("0 0 * * 8", "day of week", 8, "8 is outside 0-7"),
        ("0 0 1,, * *", "day of month", 6, "empty item"),
        ("*/0 * * * *", "minute", 2, "a step of 0"),
        ("*/x * * * *", "minute", 2, "is no step"),
        ("0 5-1 * * *", "hour", 2, "runs backwards"),
        ("0 0 * fab *", "month", 6, "'fab' where a number"),
        ("R * * * *", "minute", 0, "R is refused"),
        ("0 R(1-5) * * *", "hour", 2, "R is refused"),
        ("H * * * *", "minute", 0, "H needs a job's name"),
        ("0 0 * * mon#6", "day of week", 12, "1st to 5th"),
        ("0 0 * * L", "day of week", 8, "L needs a day"),
        ("0 0 40W * *", "day of month", 4, "40 is outside"),
        ("? * * * *", "minute", 0, "? is for the day fields"),
        ("0 0 * *", "", 7, "4 fields"),
        ("0 0 1 1 * 0 2026", "", 12, "7 fields"),
        ("", "", 0, "empty"),
        ("@reboot", "", 0, "names no instant"),
        ("@every 5m", "", 0, "no cron expression"),
        ("@daily 5m", "", 7, "nothing may follow"),
        ("@dayly", "", 0, "unknown name"),
        ("١ * * * *", "minute", 0, "where a number"),
    ],
)
def test_a_malformed_expression_names_field_position_and_reason(
    text: str, field: str, position: int, reason: str
) -> None:
    with pytest.raises(CronError) as caught:
        parse_expression(text)
    assert (caught.value.field, caught.value.position) == (field, position)
    assert reason in str(caught.value)


def test_near_misses_are_suggested() -> None:
    with pytest.raises(CronError) as caught:
        parse_expression("0 0 * fab *")
    assert caught.value.hint == "did you mean feb?"
    with pytest.raises(CronError) as caught:
        parse_expression("@dayly")
    assert caught.value.hint == "did you mean @daily?"


def test_names_ranges_steps_and_sunday_as_seven() -> None:
    expression = parse_expression("0,30 8-18/5 * JAN,mar-may Fri-Mon,7")
    assert expression.minutes == (0, 30)
    assert expression.hours == (8, 13, 18)
    assert expression.months == (1, 3, 4, 5)
    assert expression.weekdays.values == (0, 1, 5, 6)


def test_six_fields_begin_with_the_second() -> None:
    expression = parse_expression("15 30 2 * * *")
    assert (expression.seconds, expression.minutes, expression.hours) == ((15,), (30,), (2,))


def test_names_of_schedules() -> None:
    assert parse_expression("@weekly") == parse_expression("0 0 * * 0")
    assert parse_expression("@hourly").minutes == (0,)


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("30 2 * * *", True),
        ("* 2 * * *", False),
        ("*/5 2 * * *", False),
        ("30 * * * *", False),
        ("1-9 2 * * *", True),
    ],
)
def test_a_time_is_fixed_when_neither_minute_nor_hour_begins_with_a_star(text: str, fixed: bool) -> None:
    assert parse_expression(text).fixed is fixed


def test_hashed_slots_depend_on_the_seed_alone_and_keep_to_their_range() -> None:
    slots = {parse_expression("H H H * *", f"default/job-{i}").minutes[0] for i in range(200)}
    assert len(slots) > 40
    assert parse_expression("H * * * *", "a/b") == parse_expression("H * * * *", "a/b")
    for i in range(200):
        expression = parse_expression("H(10-20) H/6 H * *", f"default/job-{i}")
        assert 10 <= expression.minutes[0] <= 20
        assert [b - a for a, b in pairwise(expression.hours)] == [6, 6, 6]
        assert 1 <= expression.days.values[0] <= 28
        assert expression.hashed


def test_names_with_an_h_are_not_hashed() -> None:
    assert not parse_expression("0 0 * mar thu").hashed
    assert not parse_expression("@hourly", "a/b").hashed


def test_lint_tells_what_an_author_may_not_mean() -> None:
    assert lint("59/15 * * * *") == ("minute: 59/15 is 59 alone, since 59+15 is beyond 59",)
    assert "starts again at 0" in lint("*/7 * * * *")[0]
    assert "either one is enough" in lint("0 0 13 * 5")[0]
    assert lint("*/15 2 * * 1-5") == ()
