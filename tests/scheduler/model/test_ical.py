"""iCalendar text as days: where readers disagree, what is right, or a refusal that says the line."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler.model.ical import days_of, events_of
from scheduler.model.objects.parsing import parse_document, prepare_object
from scheduler.model.problems import JobError, Refused

YEARS = range(2020, 2033)


def event(*lines: str) -> list[str]:
    return ["BEGIN:VEVENT", *lines, "END:VEVENT"]


def text(*lines: str, header: tuple[str, ...] = ()) -> str:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *header, *lines, "END:VCALENDAR", ""])


def found(*lines: str, header: tuple[str, ...] = (), years: range = YEARS) -> list[str]:
    return [str(day) for day in sorted(days_of(events_of(text(*lines, header=header)), years).days)]


def one(*lines: str, **fields: Any) -> list[str]:
    return found(*event(*lines), **fields)


def refusal(*lines: str, header: tuple[str, ...] = ()) -> str:
    with pytest.raises(Refused) as refused:
        days_of(events_of(text(*lines, header=header)), YEARS)
    return f"{refused.value.detail} | {refused.value.hint}"


DAY = "DTSTART;VALUE=DATE:20261224"
BERLIN = "DTSTART;TZID=Europe/Berlin:20260105T080000"


@pytest.mark.parametrize(
    ("lines", "days"),
    [
        # 33: the end of whole days is exclusive; one that is the start, and none at all, are one day.
        ((DAY, "DTEND;VALUE=DATE:20261227"), ["2026-12-24", "2026-12-25", "2026-12-26"]),
        ((DAY, "DTEND;VALUE=DATE:20261224"), ["2026-12-24"]),
        ((DAY,), ["2026-12-24"]),
        ((DAY, "DURATION:P2D"), ["2026-12-24", "2026-12-25"]),
        # 34: a time is on the date of its own clock.
        (("DTSTART;TZID=Pacific/Auckland:20261224T003000",), ["2026-12-24"]),
        (("DTSTART:20261224T233000Z", "DTEND:20261225T000000Z"), ["2026-12-24"]),
        (("DTSTART:20261224T233000Z", "DTEND:20261225T000001Z"), ["2026-12-24", "2026-12-25"]),
        # 37: each form of EXDATE excludes.
        ((BERLIN, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20260106"), ["2026-01-05", "2026-01-07"]),
        ((BERLIN, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260106"), ["2026-01-05", "2026-01-07"]),
        ((BERLIN, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260106T070000Z"), ["2026-01-05", "2026-01-07"]),
        (
            (BERLIN, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=America/New_York:20260106T020000"),
            ["2026-01-05", "2026-01-07"],
        ),
        (
            (BERLIN, "RRULE:FREQ=DAILY;COUNT=4", "EXDATE;TZID=Europe/Berlin:20260106T080000,20260107T080000"),
            ["2026-01-05", "2026-01-08"],
        ),
        ((BERLIN, "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260106T080000Z"), ["2026-01-05", "2026-01-06"]),
        # 39: UNTIL as a day includes it, on times too; in UTC it is an instant.
        ((BERLIN, "RRULE:FREQ=DAILY;UNTIL=20260107"), ["2026-01-05", "2026-01-06", "2026-01-07"]),
        ((BERLIN, "RRULE:FREQ=DAILY;UNTIL=20260107T065959Z"), ["2026-01-05", "2026-01-06"]),
        ((BERLIN, "RRULE:FREQ=DAILY;UNTIL=20260107T070000Z"), ["2026-01-05", "2026-01-06", "2026-01-07"]),
        ((DAY, "RRULE:FREQ=DAILY;UNTIL=20261225"), ["2026-12-24", "2026-12-25"]),
        ((DAY, "RRULE:FREQ=DAILY;UNTIL=20261225T120000Z"), ["2026-12-24", "2026-12-25"]),
        # 40: the names that Windows has.
        (("DTSTART;TZID=W. Europe Standard Time:20261224T080000",), ["2026-12-24"]),
        # 42: python-dateutil's answers, which are those of RFC 5545.
        (
            ("DTSTART;VALUE=DATE:20261228", "RRULE:FREQ=YEARLY;BYMONTH=12;BYDAY=MO;BYSETPOS=-1;COUNT=1"),
            ["2026-12-28"],
        ),
        (("DTSTART;VALUE=DATE:20260518", "RRULE:FREQ=YEARLY;BYDAY=20MO;COUNT=1"), ["2026-05-18"]),
        (
            ("DTSTART;VALUE=DATE:20201228", "RRULE:FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO"),
            ["2020-12-28", "2026-12-28", "2032-12-27"],
        ),
        (
            ("DTSTART;VALUE=DATE:20260131", "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3"),
            ["2026-01-31", "2026-03-31", "2026-05-31"],
        ),
        (("DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY;UNTIL=20300101"), ["2024-02-29", "2028-02-29"]),
        # 43: hours elapse; a day that has 23 is over before them.
        (("DTSTART;TZID=Europe/Berlin:20260328T233000", "DURATION:PT24H"),
         ["2026-03-28", "2026-03-29", "2026-03-30"]),
        (("DTSTART;TZID=Europe/Berlin:20260328T233000", "DURATION:P1D"), ["2026-03-28", "2026-03-29"]),
        # RDATE adds; each once.
        ((DAY, "RDATE;VALUE=DATE:20261231,20261224"), ["2026-12-24", "2026-12-31"]),
        # What is folded is one line; the case of names does not matter.
        (("dtstart;value=date:2026", " 1224"), ["2026-12-24"]),
        (('DTSTART;X-A="a;b:c";VALUE=DATE:20261224',), ["2026-12-24"]),
        ((DAY, "SUMMARY:x", "BEGIN:VALARM", "TRIGGER:-PT10M", "DURATION:PT1H", "END:VALARM"), ["2026-12-24"]),
    ],
)  # fmt: skip
def test_an_event_takes_its_days(lines: tuple[str, ...], days: list[str]) -> None:
    assert one(*lines) == days


def test_the_header_s_zone_is_of_times_without_any() -> None:
    header = ("X-WR-TIMEZONE:Pacific/Auckland",)
    # 35: a time in UTC stays what it is.
    assert one("DTSTART:20261223T200000Z", header=header) == ["2026-12-23"]
    assert one("DTSTART:20261224T080000", "DURATION:PT1H", header=header) == ["2026-12-24"]
    excluded = ("DTSTART:20260105T080000", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20260104T190000Z")
    assert one(*excluded, header=header) == ["2026-01-06"]


WEEKLY = event("UID:a", "DTSTART;TZID=Europe/Berlin:20260105T080000", "RRULE:FREQ=WEEKLY;COUNT=3")


@pytest.mark.parametrize(
    ("override", "days"),
    [
        (("RECURRENCE-ID;TZID=Europe/Berlin:20260112T080000", "DTSTART;TZID=Europe/Berlin:20260113T080000"),
         ["2026-01-05", "2026-01-13", "2026-01-19"]),
        # 38: as a day on a series of times it replaces too, and never adds alone.
        (("RECURRENCE-ID;VALUE=DATE:20260112", "DTSTART;TZID=Europe/Berlin:20260113T080000"),
         ["2026-01-05", "2026-01-13", "2026-01-19"]),
        # 36: what is cancelled is no day.
        (("RECURRENCE-ID:20260112T070000Z", "DTSTART:20260112T070000Z", "STATUS:CANCELLED"),
         ["2026-01-05", "2026-01-19"]),
    ],
)  # fmt: skip
def test_an_occurrence_is_replaced(override: tuple[str, ...], days: list[str]) -> None:
    assert found(*event("UID:a", *override), *WEEKLY) == days


def test_a_cancelled_event_is_none() -> None:
    assert one(DAY, "STATUS:CANCELLED") == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            (DAY, "EXRULE:FREQ=DAILY"),
            "line 5: EXRULE is not understood: readers pass it over | say the days by EXDATE",
        ),
        (
            (DAY, "RRULE:RSCALE=GREGORIAN;FREQ=YEARLY"),
            "line 5: RSCALE=GREGORIAN is not understood in a rule for days",
        ),
        ((DAY, "RRULE:FREQ=YEARLY;SKIP=OMIT"), "line 5: SKIP=OMIT is not understood in a rule for days"),
        (
            (DAY, "RRULE:FREQ=HOURLY"),
            "line 5: FREQ=HOURLY: a rule for days has one of YEARLY, MONTHLY, WEEKLY, DAILY",
        ),
        ((DAY, "RRULE:FREQ=DAILY;BYHOUR=3"), "line 5: BYHOUR=3 is not understood"),
        ((DAY, "RRULE:FREQ=DAILY;COUNT=0"), "line 5: COUNT=0: a whole number from 1 to 100000"),
        ((DAY, "RRULE:FREQ=DAILY;COUNT=1;UNTIL=20270101"), "line 5: COUNT and UNTIL exclude each other"),
        ((DAY, "RRULE:FREQ=WEEKLY;BYDAY=2MO"), "line 5: BYDAY=2MO: numbers are for FREQ=YEARLY and MONTHLY"),
        ((DAY, "RRULE:FREQ=WEEKLY;BYDAY=FR"), "line 5: DTSTART is not the first day of its rule"),
        ((DAY, "RECURRENCE-ID;RANGE=THISANDFUTURE:20261224"), "line 5: RANGE is not understood"),
        ((DAY, "RDATE;VALUE=PERIOD:20261224T000000Z/P1D"), "line 5: VALUE=PERIOD is not understood"),
        ((DAY, "RDATE:20261224T000000Z"), "line 5: days and times of one event are not mixed"),
        ((DAY, "DTEND:20261225T000000Z"), "line 5: days and times are not mixed: DTEND is as DTSTART"),
        ((DAY, "DTEND;VALUE=DATE:20261223"), "line 5: it ends before it begins"),
        ((DAY, "DTEND;VALUE=DATE:20261225", "DURATION:P1D"), "line 5: DTEND and DURATION exclude each other"),
        ((DAY, "DURATION:PT3H"), "line 5: an event of whole days does not last hours"),
        ((DAY, "DURATION:P"), "line 5: 'P' is no duration | such as P1D or PT8H"),
        (
            ("DTSTART;VALUE=DATE:20260230",),
            "line 4: '20260230' is neither a day nor a time: day is out of range",
        ),
        (("DTSTART:tomorrow",), "line 4: 'tomorrow' is neither a day nor a time"),
        # 40: never by no clock, never by UTC.
        (
            ("DTSTART;TZID=Customized Time Zone:20261224T080000",),
            "line 4: unknown time zone 'Customized Time Zone'",
        ),
        (("DTSTART;TZID=Europe/Berln:20261224T080000",), "'Europe/Berln' | did you mean Europe/Berlin?"),
        (("SUMMARY:x",), "line 5: the event has no DTSTART"),
        ((DAY, "no colon"), "line 5: 'no colon' is no line of iCalendar | such as NAME:VALUE"),
        ((DAY, "DURATION:P401D"), "line 4: an event of more than 400 days"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_its_line(lines: tuple[str, ...], said: str) -> None:
    assert said in refusal(*event(*lines))


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        ("", "it is empty | begin with BEGIN:VCALENDAR"),
        ("hello", "line 1: 'hello' is no line of iCalendar"),
        ("BEGIN:VEVENT", "line 1: it does not begin with BEGIN:VCALENDAR"),
        ("VERSION:2.0", "line 1: it does not begin with BEGIN:VCALENDAR"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101",
            "line 3: it ends within VEVENT | END:VEVENT is missing",
        ),
        ("BEGIN:VCALENDAR\nEND:VEVENT", "line 2: END:VEVENT without its BEGIN"),
        ("BEGIN:VCALENDAR\nBEGIN:VTODO", "line 2: VTODO is no event | keep its events (VEVENT) alone"),
        ("x" * 400_001, "the text has 400001 characters"),
    ],
)
def test_what_is_no_calendar_is_refused(whole: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        events_of(whole)
    assert said in f"{refused.value.detail} | {refused.value.hint}"


def test_a_rule_that_gives_too_many_days_is_refused() -> None:
    lines = [line for _ in range(5) for line in event("DTSTART;VALUE=DATE:19700101", "RRULE:FREQ=DAILY")]
    assert "more than 100000 occurrences of all events" in refusal(*lines)


def test_what_is_excluded_costs_as_little_as_what_is_not() -> None:
    """40,000 exclusions of one day, and of an event that goes on for as long as dates are stored."""
    many = "EXDATE;VALUE=DATE:" + ",".join(["20260102"] * 40_000)
    before = time.process_time()
    off = told(ical=text(*event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY", many)))["off"]
    assert (off[0], off[1], len(off)) == ("2026-01-01", "2026-01-03", 2190)
    assert time.process_time() - before < 3  # it was 11 s; of this process alone, whatever else runs


@pytest.mark.parametrize(
    ("rule", "begin", "events"),
    [
        ("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29", "19720229", 100),  # 15 occurrences each
        ("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;COUNT=2", "19720229", 100),
        ("RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=1", "19700101", 300),
        ("RRULE:FREQ=MONTHLY;BYDAY=1TH", "19700101", 200),
    ],
)
def test_rules_that_go_through_too_much_are_refused_before_they_do(
    rule: str, begin: str, events: int
) -> None:
    lines = [line for _ in range(events) for line in event(f"DTSTART;VALUE=DATE:{begin}", rule)]
    before = time.process_time()
    assert "the rules go through too many days together | begin it later" in refusal(*lines)
    assert time.process_time() - before < 6


def test_long_exports_are_taken() -> None:
    """Birthdays, and meetings that end after some times."""
    lines = [line for _ in range(100) for line in event("DTSTART;VALUE=DATE:19700101", "RRULE:FREQ=YEARLY")]
    rule = "RRULE:FREQ=WEEKLY;COUNT=10;BYDAY=MO,TH"
    lines += [line for _ in range(1_500) for line in event("DTSTART;VALUE=DATE:20260105", rule)]
    assert "2026-01-08" in told(ical=text(*lines))["off"]


def test_long_events_are_days_from_the_first_to_the_last() -> None:
    lines = event("DTSTART;VALUE=DATE:20241230", "DTEND;VALUE=DATE:20250103", "RRULE:FREQ=YEARLY")
    off = told(ical=text(*lines))["off"]
    assert off[:4] == ["2025-01-01", "2025-01-02", "2025-12-30", "2025-12-31"]
    assert off[-4:] == ["2031-01-01", "2031-01-02", "2031-12-30", "2031-12-31"]


# -- within a calendar --------------------------------------------------------------------------------


def stored(**fields: Any) -> dict[str, Any]:
    parsed = parse_document({"calendar": "c", **fields})
    now_ms = int(datetime(2026, 11, 30, tzinfo=UTC).timestamp() * 1000)
    shape: dict[str, Any] = json.loads(prepare_object(parsed, now_ms).spec)  # type: ignore[arg-type]  # no job
    return shape


def told(**fields: Any) -> dict[str, Any]:
    computed: dict[str, Any] = stored(**fields)["computed"]
    return computed


def test_events_are_days_off_and_known_as_far_as_they_go() -> None:
    given = text(*event(DAY), *event("DTSTART;VALUE=DATE:20271231"))
    assert told(ical=given)["off"] == ["2026-12-24", "2027-12-31"]
    assert told(ical=given)["known_until"] == "2027-12-31"
    endless = text(*event("DTSTART;VALUE=DATE:20201224", "RRULE:FREQ=YEARLY"))
    assert told(ical=endless)["off"] == [f"{year}-12-24" for year in range(2025, 2032)]
    assert told(ical=endless)["known_until"] == "2031-12-31"
    assert stored(ical=given)["ical"] == {"text": given, "days": "off"}
    working = told(ical={"text": given, "days": "working"}, weekend=["thu"])
    assert (working["off"], working["working"]) == ([], ["2026-12-24", "2027-12-31"])


def test_a_mistake_in_it_is_told_with_its_place() -> None:
    with pytest.raises(JobError) as refused:
        parse_document({"calendar": "c", "ical": text(*event("DTSTART:x"))})
    (problem,) = refused.value.problems
    assert (problem.pointer, problem.detail) == ("/ical/text", "line 4: 'x' is neither a day nor a time")


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (
            {"weekday": "fri", "nth": -1, "of": "quarter"},
            ["2026-03-27", "2026-06-26", "2026-09-25", "2026-12-25"],
        ),
        ({"weekday": "mon", "nth": 3, "months": [1, 2]}, ["2026-01-19", "2026-02-16"]),
        ({"weekday": "mon", "nth": 5, "months": [1, 3]}, ["2026-03-30"]),
        ({"day": -1, "months": [2, 4]}, ["2026-02-28", "2026-04-30"]),
        ({"day": 31, "months": [1, 2, 3]}, ["2026-01-31", "2026-03-31"]),
        ({"easter": 39}, ["2026-05-14"]),
        ({"easter": -2, "church": "orthodox"}, ["2026-04-10"]),
        ({"workday": -1, "of": "quarter"}, ["2026-03-31", "2026-06-30", "2026-09-30", "2026-12-31"]),
        ({"workday": 1, "months": 1}, ["2026-01-01"]),
        ({"every": 91, "from": "2026-01-05"}, ["2026-01-05", "2026-04-06", "2026-07-06", "2026-10-05"]),
        ({"every": 91, "from": "2016-01-18"}, ["2026-01-05", "2026-04-06", "2026-07-06", "2026-10-05"]),
    ],
)  # fmt: skip
def test_rules_say_days_of_each_year(rule: dict[str, Any], days: list[str]) -> None:
    found = told(rules=[rule])
    assert [day for day in found["off"] if day.startswith("2026")] == days
    assert found["known_until"] == "2031-12-31"


def test_a_working_day_by_rule_is_one_by_all_else() -> None:
    rules = [{"workday": 1, "months": [1]}, {"day": 2, "months": 1}]
    assert "2026-01-05" in told(exclude=["01-01"], rules=rules)["off"]
    saturday = [{"every": 364, "from": "2027-01-02", "days": "working"}, {"workday": 1, "months": 1}]
    found = told(exclude=["2027-01-01"], rules=saturday)
    assert "2027-01-02" in found["working"]
    assert "2027-01-02" in found["off"], "the first working day of the year, though a Saturday"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "it says no days: a rule has exactly one of weekday, day, easter, workday, every"),
        ({"day": 1, "easter": 1}, "day and easter exclude each other"),
        ({"easter": 1, "months": [1]}, "months means nothing beside easter"),
        ({"weekday": "fri"}, "which of them?"),
        ({"weekday": "fri", "nth": 0}, "which of them?"),
        ({"weekday": "fri", "nth": 6}, "no month has 6 of a day of the week"),
        ({"weekday": "fri", "nth": -15, "of": "quarter"}, "no quarter has 15 of a day of the week"),
        ({"every": 3}, "from when on?"),
        ({"every": 3, "from": "soon"}, "should be a valid date"),
        ({"every": 3, "from": "2026-02-30"}, "'2026-02-30' is no day"),
        ({"day": 0}, "there is no day 0"),
        ({"dya": 1}, "unknown field 'dya'"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(JobError) as refused:
        parse_document({"calendar": "c", "rules": [rule]})
    assert any(said in problem.detail for problem in refused.value.problems), refused.value.problems
