"""Which days are working days, as other programs say it too."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from scheduler.model.objects.calendar import Day, days
from scheduler.model.objects.parsing import parse_document, prepare_object
from scheduler.model.problems import JobError

NOW_MS = int(datetime(2026, 11, 30, tzinfo=UTC).timestamp() * 1000)


def stored(now_ms: int = NOW_MS, **fields: Any) -> dict[str, Any]:
    parsed = parse_document({"calendar": "c", **fields})
    shape: dict[str, Any] = json.loads(prepare_object(parsed, now_ms).spec)  # type: ignore[arg-type]  # no job
    return shape


def of(text: str, **fields: Any) -> Day:
    day = date.fromisoformat(text)
    (found,) = days(stored(**fields), day, day)
    return found


def holidays(country: str, subdivision: str | None = None) -> dict[str, str]:
    return {"country": country, **({} if subdivision is None else {"subdivision": subdivision})}


@pytest.mark.parametrize(
    ("day", "fields", "working", "why"),
    [
        ("2026-11-28", {}, False, "weekend"),
        ("2026-11-30", {}, True, ""),
        ("2026-11-28", {"extra_working": ["2026-11-28"]}, True, "extra_working"),
        ("2026-11-28", {"extra_working": ["2026-11-28"], "holidays": holidays("DE")}, True, "extra_working"),
        ("2026-11-27", {"weekend": ["fri"]}, False, "weekend"),
        ("2026-12-24", {"exclude": ["12-24"]}, False, "off"),
        ("2028-02-29", {"exclude": ["02-29"]}, False, "off"),
        ("2026-12-30", {"exclude": ["2026-12-28/2026-12-31"]}, False, "off"),
        ("2026-03-08", {"holidays": holidays("DE", "BE"), "weekend": []}, False, "off"),
        ("2026-03-08", {"holidays": holidays("DE", "BE"), "weekend": [], "include": ["03-08"]}, True, ""),
        # Observed a day earlier, because of the New Year's Day of the year behind.
        ("2027-12-31", {"holidays": holidays("US")}, False, "off"),
        ("2026-02-14", {"holidays": holidays("CN")}, True, "extra_working"),  # a Saturday that is worked
        # Without its subdivision a country may lack a day.
        ("2026-04-06", {"holidays": holidays("GB")}, True, ""),
        ("2026-04-06", {"holidays": holidays("GB", "ENG")}, False, "off"),
    ],
)
def test_a_day_is_worked_or_not(day: str, fields: dict[str, Any], working: bool, why: str) -> None:
    found = of(day, **fields)
    assert (found.working, found.why) == (working, why)


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        ({"exclude": ["2026-12-24"]}, None),
        ({"exclude": ["12-24"]}, "2031-12-31"),
        ({"holidays": holidays("DE")}, "2031-12-31"),
        ({"holidays": holidays("CN")}, "2026-12-31"),  # its working weekends are announced year by year
        ({"holidays": [holidays("DE"), holidays("UA")]}, "2024-12-31"),  # no holiday at all
    ],
)
def test_it_says_until_when_it_is_known(fields: dict[str, Any], until: str | None) -> None:
    assert stored(**fields)["computed"]["known_until"] == until
    last = date.max if until is None else date.fromisoformat(until)
    assert [day.known for day in days(stored(**fields), date(2032, 1, 1), date(2032, 1, 1))] == [
        last > date(2032, 1, 1)
    ]


def test_it_says_from_when_it_is_known() -> None:
    """Christmas of a year whose dates are not stored is no working day that is known."""
    shape = stored(holidays=holidays("DE"))
    assert shape["computed"]["known_from"] == "2025-01-01"
    told = [(day.day.year, day.known) for day in days(shape, date(2024, 12, 31), date(2025, 1, 1))]
    assert told == [(2024, False), (2025, True)]
    assert of("2020-12-24", exclude=["2020-12-24"]) == Day(date(2020, 12, 24), False, "off", True)


def test_dates_are_those_of_the_year_in_which_it_is_put() -> None:
    """Again in the same year they are the same; in the next they move on, which is another revision."""
    assert stored(exclude=["12-24"]) == stored(NOW_MS - 86_400_000, exclude=["12-24"])
    off = stored(NOW_MS + 366 * 86_400_000, exclude=["12-24"])["computed"]["off"]
    assert (off[0], off[-1]) == ("2026-12-24", "2032-12-24")


@pytest.mark.parametrize("day", ["9999-12-31", "9999-12-01/9999-12-31", "0001-01-01"])
@pytest.mark.parametrize("field", ["exclude", "include", "extra_working"])
def test_days_at_the_ends_of_time_are_days(field: str, day: str) -> None:
    fields: dict[str, Any] = {field: [day]}
    assert stored(**fields)[field] == [day]


@pytest.mark.parametrize(
    ("fields", "pointer", "detail", "hint"),
    [
        ({"holidays": {"country": "XX"}}, "/holidays/0", "no holidays are known of the country 'XX'", ""),
        ({"holidays": holidays("DE", "BEE")}, "/holidays/0", "DE has no subdivision", "did you mean BE?"),
        ({"exclude": ["2026-02-30"]}, "/exclude", "'2026-02-30' is no day", "such as 2026-12-24"),
        ({"exclude": ["02-30"]}, "/exclude", "'02-30' is no day", ""),
        ({"exclude": ["2026-12-31/2026-12-01"]}, "/exclude", "2026-12-31/2026-12-01 ends before it", ""),
        ({"exclude": ["2020-01-01/2026-12-01"]}, "/exclude", "2020-01-01/2026-12-01 is longer", ""),
        ({"include": [24]}, "/include", "a day is text, not a number", ""),
        ({"weekend": ["so"]}, "/weekend/0", "0 must be one of mon, tue", ""),
        ({"exclude": ["12-24"], "include": ["12-24"]}, "/exclude/0", "12-24 is excluded", "remove one"),
        ({"ical": "BEGIN:VCALENDAR"}, "/ical/text", "line 1: it ends within VCALENDAR", "END:VCALENDAR"),
        ({"exclude": [f"{n}-01-01/{n}-12-31" for n in range(2020, 2024)]}, "/exclude", "these are more", ""),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], pointer: str, detail: str, hint: str) -> None:
    with pytest.raises(JobError) as caught:
        stored(**fields)
    (problem,) = caught.value.problems
    assert problem.pointer == pointer
    assert problem.detail.startswith(detail)
    assert problem.hint.startswith(hint)


FEWER = "a smaller number, or other months"


@pytest.mark.parametrize(
    ("rule", "said", "hint"),
    [
        ({"weekday": "mon", "nth": 6}, "no month has 6 of a day of the week", "5 at most, or another `of`"),
        ({"day": 31, "months": [2, 4]}, "no month has such a day", FEWER),
        ({"day": -31, "months": 4}, "no month has such a day", FEWER),
        ({"workday": 1, "of": "quarter", "months": [2]}, "a quarter begins in month 1, 4, 7, 10", FEWER),
    ],
)
def test_a_rule_that_names_no_day_in_any_year_is_refused(
    rule: dict[str, Any], said: str, hint: str
) -> None:
    with pytest.raises(JobError) as caught:
        parse_document({"calendar": "c", "rules": [rule]})
    (problem,) = caught.value.problems
    assert (problem.pointer, said in problem.detail) == ("/rules/0", True), problem
    assert problem.hint == hint


@pytest.mark.parametrize("rule", [{"weekday": "mon", "nth": 5, "months": 2}, {"day": 29, "months": 2}])
def test_a_rule_that_names_a_day_in_few_years_is_one(rule: dict[str, Any]) -> None:
    parse_document({"calendar": "c", "rules": [rule]})
