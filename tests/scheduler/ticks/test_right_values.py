"""Calendars, intervals and time zones: what real libraries and programs answer, case by case.

Each case has the number under which its value was found by running the real thing: java.time, Temporal,
pendulum, aniso8601, icalendar, python-dateutil, holidays, numpy, QuantLib, systemd 252, and the two versions
of tzdata whose zones stand beside this file. What others say in words of their own (systemd's) is here what
ours say of the same. Decided otherwise than elsewhere:

8   an offset alone is fixed; with a `tz` beside it the days are that zone's
10  a zone moves where its clocks show anything else within fifteen years, or by the rule for later
26  a subdivision that is no more is refused when the calendar is put again; what is stored stays
32  two that come to one instant are one tick, not one that is coalesced (docs/decisions/0056)
38  a day as RECURRENCE-ID of times replaces what begins on it
39  a day as UNTIL of times includes that day
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from scheduler.model import parse_job
from scheduler.model.problems import JobError
from scheduler.ticks import cron_spec, dated_spec, iso8601_spec, ruled, schedule, zone_files
from tests.scheduler.model.test_calendar import holidays, of, stored
from tests.scheduler.model.test_ical import BERLIN as EIGHT
from tests.scheduler.model.test_ical import DAY, WEEKLY, event, found, one, refusal
from tests.scheduler.ticks.test_dated import calendar

HERE = Path(__file__).parent
OLD, NEW = (zone_files.read((HERE / f"{version}.zones").read_bytes()) for version in ("2025c", "2026f"))
BERLIN, CHISINAU, HAVANA = "Europe/Berlin", "Europe/Chisinau", "America/Havana"
SINCE_S = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
NONE = [2, 12, 31]  #: numbers that no case has


class Case(NamedTuple):
    number: int
    what: str
    said: Callable[[], object]
    value: object


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def due(spec: bytes, since: str, until: str) -> list[str]:
    ticks = schedule(spec).between(ms(since) - 1, ms(until))
    return [f"{datetime.fromtimestamp(at / 1000, UTC):%m-%dT%H:%MZ}" for at in ticks]


def cron(text: str, tz: str, since: str, until: str, **fields: Any) -> list[str]:
    return due(cron_spec(text, tz=tz, **fields), f"{since}T00:00:00Z", f"{until}T00:00:00Z")


def repeats(text: str, tz: str | None = None, count: int = 9) -> list[str]:
    found = schedule(iso8601_spec(text, tz)).upcoming(0, count)
    return [f"{datetime.fromtimestamp(at / 1000, UTC):%m-%dT%H:%MZ}" for at in found]


def days(text: str) -> list[str]:
    return [each[:5] for each in repeats(text)]


def by(version: zone_files.ZoneFiles, text: str, zone: str, since: str, until: str) -> list[str]:
    """What an expression is due at by the zone data of a version."""
    pin = zone_files.learn(version.files[version.pins[zone]])
    return due(ruled(cron_spec(text, tz=zone), pin), f"{since}T00:00:00Z", f"{until}T00:00:00Z")


def both(text: str, zone: str, since: str, until: str) -> list[str]:
    return [by(version, text, zone, since, until)[0][6:] for version in (OLD, NEW)]


def wrong(**trigger: Any) -> str:
    with pytest.raises(JobError) as caught:
        parse_job({"job": "j", "noop": True, "triggers": trigger})
    (problem,) = caught.value.problems
    return f"{problem.pointer}: {problem.detail} | {problem.hint}"


def renamed(zone: str, old: bytes, new: bytes) -> bool:
    """Whether a zone moves whose clocks have other abbreviations and show the same."""
    body = NEW.files[NEW.pins[zone]]
    assert old in body
    return not zone_files.agree(body, body.replace(old, new), SINCE_S)


def moved_by(nonworking: str, text: str, *off: str) -> list[str]:
    spec = dated_spec(cron_spec(text), exclude=[calendar(*off)], nonworking=nonworking)
    return due(spec, "2026-04-20T00:00:00Z", "2026-06-10T00:00:00Z")


def until(*places: dict[str, str]) -> str | None:
    told: str | None = stored(holidays=list(places))["computed"]["known_until"]
    return told


def lost(country: str, subdivision: str) -> str:
    with pytest.raises(JobError) as caught:
        stored(holidays=holidays(country, subdivision))
    return caught.value.problems[0].detail


def works(day: str, **fields: Any) -> bool:
    return of(day, **fields).working


NOON = {
    "America/Vancouver": ["20:00Z", "19:00Z"],
    "America/Edmonton": ["19:00Z", "18:00Z"],
    "America/Inuvik": ["19:00Z", "18:00Z"],
    "America/Winnipeg": ["18:00Z", "17:00Z"],
    "Africa/Casablanca": ["11:00Z", "12:00Z"],
    HAVANA: ["17:00Z", "16:00Z"],
}
MOVED = sorted([*NOON, CHISINAU])
EACH_DAY = "RRULE:FREQ=DAILY;COUNT=3"
YEARLY = "RRULE:FREQ=YEARLY;"

CASES = [
    Case(
        1,
        "counted from the start",
        lambda: days("R5/2026-01-31/P1M"),
        ["01-31", "02-28", "03-31", "04-30", "05-31"],
    ),
    Case(
        3,
        "n instants, not n after the first",
        lambda: days("R3/2026-01-01/2026-01-08"),
        ["01-01", "01-08", "01-15"],
    ),
    Case(
        4,
        "R0",
        lambda: wrong(iso8601="R0/2026-01-01/P1D"),
        "/triggers/iso8601: R0 repeats nothing | R1 is once, R alone is without end",
    ),
    Case(5, "an end form ascends", lambda: days("R3/P1M/2026-03-31"), ["01-31", "02-28", "03-31"]),
    *[
        Case(6, text, lambda text=text: wrong(iso8601=text).split(" | ")[0].partition(": ")[2], said)
        for text, said in {
            "R/P1D": "R/P1D has no start",
            "R/2026-01-01/PT0S": "PT0S is no time at all",
            "R/2026-01-01/P0.5M": "P0.5M has a fraction of a day or more",
            "R/2026-01-01/P": "P is no time at all",
            "R/2026-01-01/PT": "nothing follows the T in PT",
            "R/2026-01-01/-P1D": "the period -P1D has a sign",
        }.items()
    ],
    Case(7, "a day of 23 hours", lambda: repeats("R2/2026-03-28T12:00:00/P1D", BERLIN)[1], "03-29T10:00Z"),
    Case(7, "24 hours of it", lambda: repeats("R2/2026-03-28T12:00:00/PT24H", BERLIN)[1], "03-29T11:00Z"),
    Case(
        7,
        "36 hours are no day and twelve",
        lambda: repeats("R2/2026-03-28T12:00:00/PT36H", BERLIN)[1],
        "03-29T23:00Z",
    ),
    Case(
        7,
        "a day and twelve hours",
        lambda: repeats("R2/2026-03-28T12:00:00/P1DT12H", BERLIN)[1],
        "03-29T22:00Z",
    ),
    Case(
        8,
        "an offset is fixed",
        lambda: repeats("R2/2026-03-28T12:00:00+01:00/P1D"),
        ["03-28T11:00Z", "03-29T11:00Z"],
    ),
    Case(
        8, "a zone beside it", lambda: repeats("R2/2026-03-28T12:00:00+01:00/P1D", BERLIN)[1], "03-29T10:00Z"
    ),
    *[
        Case(9, zone, lambda zone=zone: both("0 12 * * *", zone, "2026-12-01", "2026-12-02"), value)
        for zone, value in NOON.items()
    ],
    Case(
        10,
        "neither noon nor a later year tells",
        lambda: (
            both("0 12 * * *", CHISINAU, "2026-03-29", "2026-03-30")[0]
            == both("0 12 * * *", CHISINAU, "2026-03-29", "2026-03-30")[1],
            by(OLD, "0 12 * * *", HAVANA, "2027-03-15", "2028-03-15")
            == by(NEW, "0 12 * * *", HAVANA, "2027-03-15", "2028-03-15"),
            {CHISINAU, HAVANA} <= {*zone_files.moved(OLD, NEW, SINCE_S)},
        ),
        (True, True, True),
    ),
    Case(11, "30 2", lambda: both("30 2 * * *", CHISINAU, "2026-03-29", "2026-03-30"), ["00:00Z", "00:30Z"]),
    Case(11, "30 3", lambda: both("30 3 * * *", CHISINAU, "2026-03-29", "2026-03-30"), ["00:30Z", "01:00Z"]),
    Case(11, "0 12", lambda: both("0 12 * * *", CHISINAU, "2026-03-29", "2026-03-30"), ["09:00Z", "09:00Z"]),
    Case(13, "files that changed in bytes move nobody", lambda: zone_files.moved(OLD, NEW, SINCE_S), MOVED),
    Case(14, "another abbreviation", lambda: renamed("America/Sao_Paulo", b"-03", b"BRT"), False),
    Case(14, "of the rule for later too", lambda: renamed("America/Vancouver", b"MST", b"PST"), False),
    Case(14, "another rule for later", lambda: renamed("Europe/Dublin", b"M3.5.0", b"M4.1.0"), True),
    Case(
        15,
        "an instant with its zone",
        lambda: wrong(at="2026-12-01T12:00:00-08:00[America/Vancouver]"),
        "/triggers/at: an instant names no zone, since its offset says all: leave [America/Vancouver] out"
        " | such as 2026-12-31T23:00:00Z",
    ),
    Case(
        15,
        "in a repeat",
        lambda: wrong(iso8601="R2/2026-12-01T12:00:00-08:00[America/Vancouver]/P1D"),
        "/triggers/iso8601: a repeat names no zone in brackets | name it in tz",
    ),
    Case(16, "zone data is the package's", lambda: by_the_host(), ["03-29T10:00Z"]),
    Case(17, "Cairo", lambda: cron("@daily", "Africa/Cairo", "2026-04-23", "2026-04-24"), ["04-23T22:00Z"]),
    Case(
        17,
        "Santiago",
        lambda: cron("@daily", "America/Santiago", "2026-09-06", "2026-09-07"),
        ["09-06T04:00Z"],
    ),
    Case(17, "Havana", lambda: cron("@daily", HAVANA, "2026-03-08", "2026-03-09"), ["03-08T05:00Z"]),
    Case(
        17, "as systemd", lambda: cron("@daily", "Africa/Cairo", "2026-04-23", "2026-04-24", dst="skip"), []
    ),
    Case(
        18,
        "twice",
        lambda: cron("*/30 2 * * *", BERLIN, "2026-10-25", "2026-10-26"),
        ["10-25T00:00Z", "10-25T00:30Z", "10-25T01:00Z", "10-25T01:30Z"],
    ),
    Case(
        19,
        "three minutes",
        lambda: cron("0-2 22 * * *", "UTC", "2026-05-01", "2026-05-02"),
        ["05-01T22:00Z", "05-01T22:01Z", "05-01T22:02Z"],
    ),
    Case(
        19,
        "hours over midnight",
        lambda: wrong(cron="0 22-2 * * *"),
        "/triggers/cron: hour field, character 3: the range 22-2 runs backwards | write 22-23,0-2",
    ),
    Case(
        20,
        "@weekly is Sunday here",
        lambda: cron("@weekly", "UTC", "2026-05-04", "2026-05-11"),
        ["05-10T00:00Z"],
    ),
    Case(20, "Monday", lambda: cron("0 0 * * mon", "UTC", "2026-05-04", "2026-05-10"), ["05-04T00:00Z"]),
    Case(
        20,
        "odd days",
        lambda: [each[3:5] for each in cron("0 0 1/2 * *", "UTC", "2026-05-25", "2026-06-02")],
        ["25", "27", "29", "31", "01"],
    ),
    Case(20, "the last day", lambda: cron("0 0 L * *", "UTC", "2026-02-01", "2026-03-02"), ["02-28T00:00Z"]),
    Case(
        20,
        "if it is a weekday",
        lambda: cron("0 0 L * mon-fri", "UTC", "2026-01-01", "2026-04-02", days="both"),
        ["03-31T00:00Z"],
    ),
    Case(
        20,
        "the last three",
        lambda: cron("0 0 L-2,L-1,L * *", "UTC", "2026-02-01", "2026-03-02"),
        ["02-26T00:00Z", "02-27T00:00Z", "02-28T00:00Z"],
    ),
    Case(
        21,
        "30 February",
        lambda: wrong(at="2026-02-30T00:00:00Z"),
        "/triggers/at: no such instant: day is out of range for month | such as 2026-12-31T23:00:00Z",
    ),
    Case(
        21,
        "of each year",
        lambda: wrong(cron="0 0 30 2 *"),
        "/triggers/cron: '0 0 30 2 *': it never fires: no month has such a day | other days, or other months",
    ),
    Case(
        22,
        "dates are stored, with the package's version",
        lambda: (
            "2026-12-25" in (told := stored(holidays=holidays("DE", "BE"))["computed"])["off"],
            sorted(told["versions"]),
        ),
        (True, ["holidays"]),
    ),
    Case(
        23,
        "dates alone, no names",
        lambda: {len(day) for day in stored(holidays=holidays("DE", "BE"))["computed"]["off"]},
        {10},
    ),
    Case(24, "a year without any holiday", lambda: until(holidays("DE"), holidays("UA")), "2024-12-31"),
    Case(24, "working weekends that are not announced", lambda: until(holidays("CN")), "2026-12-31"),
    Case(24, "behind it a day is flagged", lambda: of("2101-01-03", holidays=holidays("DE")).known, False),
    Case(25, "a Saturday that a country works", lambda: works("2026-02-14", holidays=holidays("CN")), True),
    Case(25, "one of one's own", lambda: works("2026-11-28", extra_working=["2026-11-28"]), True),
    Case(26, "gone", lambda: lost("FR", "GP"), "FR has no subdivision 'GP'"),
    Case(27, "observed a year before", lambda: works("2027-12-31", holidays=holidays("US")), False),
    *[
        Case(
            28,
            country,
            lambda day=day, country=country, part=part: (
                works(day, holidays=holidays(country)),
                works(day, holidays=holidays(country, part)),
            ),
            (True, False),
        )
        for country, part, day in (("GB", "ENG", "2026-04-06"), ("CH", "ZH", "2026-04-03"))
    ],
    Case(29, "after", lambda: moved_by("after", "0 2 30 5 *"), ["06-01T02:00Z"]),
    Case(29, "modified", lambda: moved_by("modified", "0 2 30 5 *"), ["05-29T02:00Z"]),
    Case(30, "before", lambda: moved_by("before", "0 2 30 5 *"), ["05-29T02:00Z"]),
    Case(30, "over a day off", lambda: moved_by("before", "0 2 2 5 *", "2026-05-01"), ["04-30T02:00Z"]),
    Case(32, "one", lambda: moved_by("after", "0 2 30,31 5 *"), ["06-01T02:00Z"]),
    Case(
        33, "an end is exclusive", lambda: one(DAY, "DTEND;VALUE=DATE:20261226"), ["2026-12-24", "2026-12-25"]
    ),
    Case(33, "it is the start", lambda: one(DAY, "DTEND;VALUE=DATE:20261224"), ["2026-12-24"]),
    Case(33, "none", lambda: one(DAY), ["2026-12-24"]),
    Case(
        34,
        "a day is the trigger's, not midnight by UTC",
        lambda: due(
            dated_spec(
                cron_spec("30 0 * * *", tz="Pacific/Auckland"), exclude=[calendar(*one(DAY), weekend=())]
            ),
            "2026-12-22T12:00:00Z",
            "2026-12-25T12:00:00Z",
        ),
        ["12-24T11:30Z", "12-25T11:30Z"],
    ),
    Case(
        35,
        "Z stays",
        lambda: one("DTSTART:20261223T200000Z", header=("X-WR-TIMEZONE:Pacific/Auckland",)),
        ["2026-12-23"],
    ),
    Case(
        36,
        "cancelled",
        lambda: found(
            *event("UID:a", "RECURRENCE-ID:20260112T070000Z", "DTSTART:20260112T070000Z", "STATUS:CANCELLED"),
            *WEEKLY,
        ),
        ["2026-01-05", "2026-01-19"],
    ),
    *[
        Case(37, text, lambda text=text: one(EIGHT, EACH_DAY, text), ["2026-01-05", "2026-01-07"])
        for text in (
            "EXDATE;VALUE=DATE:20260106",
            "EXDATE:20260106T070000Z",
            "EXDATE;TZID=America/New_York:20260106T020000",
        )
    ],
    Case(
        38,
        "a day replaces",
        lambda: found(
            *event(
                "UID:a", "RECURRENCE-ID;VALUE=DATE:20260112", "DTSTART;TZID=Europe/Berlin:20260113T080000"
            ),
            *WEEKLY,
        ),
        ["2026-01-05", "2026-01-13", "2026-01-19"],
    ),
    Case(
        39,
        "that day is in",
        lambda: one(EIGHT, "RRULE:FREQ=DAILY;UNTIL=20260107"),
        ["2026-01-05", "2026-01-06", "2026-01-07"],
    ),
    Case(
        40,
        "an unknown zone",
        lambda: (
            "line 4: unknown time zone 'Customized Time Zone'"
            in refusal(*event("DTSTART;TZID=Customized Time Zone:20261224T080000"))
        ),
        True,
    ),
    Case(
        40,
        "Windows' name",
        lambda: one("DTSTART;TZID=W. Europe Standard Time:20261224T080000"),
        ["2026-12-24"],
    ),
    *[
        Case(41, line, lambda line=line: "line 5:" in refusal(*event(DAY, line)), True)
        for line in (
            "EXRULE:FREQ=DAILY",
            "RRULE:RSCALE=GREGORIAN;FREQ=YEARLY",
            "RRULE:FREQ=YEARLY;SKIP=OMIT",
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20261224",
        )
    ],
    *[
        Case(42, rule, lambda day=day, rule=rule: one(f"DTSTART;VALUE=DATE:{day}", rule), value)
        for day, rule, value in (
            ("20261228", f"{YEARLY}BYMONTH=12;BYDAY=MO;BYSETPOS=-1;COUNT=1", ["2026-12-28"]),
            ("20260518", f"{YEARLY}BYDAY=20MO;COUNT=1", ["2026-05-18"]),
            ("20201228", f"{YEARLY}BYWEEKNO=53;BYDAY=MO", ["2020-12-28", "2026-12-28", "2032-12-27"]),
            (
                "20260131",
                "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3",
                ["2026-01-31", "2026-03-31", "2026-05-31"],
            ),
            ("20240229", f"{YEARLY}UNTIL=20300101", ["2024-02-29", "2028-02-29"]),
        )
    ],
    Case(
        43,
        "24 hours over a day of 23",
        lambda: one("DTSTART;TZID=Europe/Berlin:20260328T233000", "DURATION:PT24H"),
        ["2026-03-28", "2026-03-29", "2026-03-30"],
    ),
    # What stands beside the table.
    Case(
        44,
        "31W in months that have it",
        lambda: [each[:5] for each in cron("0 0 31W * *", "UTC", "2026-01-01", "2026-06-02")],
        ["01-30", "03-31", "05-29"],
    ),
    Case(
        44,
        "30W of February",
        lambda: wrong(cron="0 0 30W 2 *"),
        "/triggers/cron: '0 0 30W 2 *': it never fires: no month has such a day"
        " | other days, or other months",
    ),
    Case(
        45,
        "Factory",
        lambda: wrong(cron="@daily", tz="Factory"),
        "/triggers/tz: the time zone Factory means: not set | an IANA name such as Europe/Berlin",
    ),
    Case(
        45,
        "leapseconds",
        lambda: wrong(cron="@daily", tz="leapseconds").split(" | ")[0],
        "/triggers/tz: unknown time zone 'leapseconds'",
    ),
    Case(
        45,
        "Windows' name",
        lambda: wrong(cron="@daily", tz="Pacific Standard Time").split(" | ")[1],
        "did you mean America/Los_Angeles?",
    ),
    Case(
        46,
        "the first reading of two",
        lambda: repeats("R1/2026-10-25T02:30:00/P1D", BERLIN),
        ["10-25T00:30Z"],
    ),
]


def by_the_host() -> list[str]:
    import zoneinfo

    from scheduler.ticks import zone

    zone.cache_clear()
    schedule.cache_clear()
    with TemporaryDirectory() as folder:
        (Path(folder) / "Europe").mkdir()
        (Path(folder) / BERLIN).write_bytes(NEW.files[NEW.pins[HAVANA]])
        zoneinfo.reset_tzpath(to=[folder])
        assert zoneinfo.ZoneInfo.no_cache(BERLIN).utcoffset(datetime(2026, 1, 1)) != timedelta(hours=1)
        try:
            return cron("0 12 * * *", BERLIN, "2026-03-29", "2026-03-30")
        finally:
            zoneinfo.reset_tzpath()


@pytest.mark.parametrize("case", CASES, ids=[f"{case.number}: {case.what}" for case in CASES])
def test_it_says_what_the_real_thing_says(case: Case) -> None:
    assert case.said() == case.value


def test_no_number_is_left_out() -> None:
    assert sorted({case.number for case in CASES}) == [n for n in range(1, 47) if n not in NONE]
