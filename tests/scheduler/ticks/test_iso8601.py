"""ISO 8601 repeats: values found by other implementations, an independent walk, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.ticks import RepeatError, iso8601_spec, schedule
from tests.scheduler.ticks.test_oracles import ZONES, packaged_zone

UNITS = {"years": "Y", "months": "M", "weeks": "W", "days": "D"}


def instants(text: str, tz: str | None = None, count: int = 6) -> list[str]:
    found = schedule(iso8601_spec(text, tz)).upcoming(-1, count)
    return [datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for ms in found]


def midnights(*days: str) -> list[str]:
    return [f"{day}T00:00:00Z" for day in days]


@st.composite
def repeats(draw: st.DrawFn) -> str:
    """Texts of all forms, from 2025 on."""
    count = draw(st.sampled_from(["", "1", "2", "7", "400"]))
    start = datetime(2025, 1, 1) + timedelta(seconds=draw(st.integers(0, 2 * 366 * 86_400)))
    offset = draw(st.sampled_from(["", "Z", "+05:30", "-11:00"]))
    end = start + timedelta(seconds=draw(st.integers(1_000, 10**7)))
    period = draw(st.sampled_from(["P1M", "P1D", "P2W", "P3M5D", "P1DT1H", "PT36H", "PT15M", "PT90.5S"]))
    counted_back = "7" if count == "400" else count or "5"  # none begins before 1970
    one, other = (moment.isoformat() + offset for moment in (start, end))
    return draw(
        st.sampled_from(
            [f"R{count}/{one}/{period}", f"R{count}/{one}/{other}", f"R{counted_back}/{period}/{one}"]
        )
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("R4/2026-01-31/P1M", midnights("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30")),
        ("R3/2026-01-01/2026-01-08", midnights("2026-01-01", "2026-01-08", "2026-01-15")),
        ("R3/P1M/2026-03-31", midnights("2026-01-31", "2026-02-28", "2026-03-31")),
        ("R3/P1M/2026-04-30", midnights("2026-02-28", "2026-03-30", "2026-04-30")),
        ("R1/2026-01-31/P1M", midnights("2026-01-31")),
        ("R2/2024-02-29/P1Y", midnights("2024-02-29", "2025-02-28")),
        ("R2/20260131T000000Z/P1M", midnights("2026-01-31", "2026-02-28")),
        ("R2/2026-W05-1/P1W", midnights("2026-01-26", "2026-02-02")),
        ("R2/2026-01-01T00:00Z/P1Y2M10DT2H30M", ["2026-01-01T00:00:00Z", "2027-03-11T02:30:00Z"]),
        ("R2/2026-01-01T00:00:00Z/PT1,5H", ["2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z"]),
        ("r2/2026-01-01t00:00:00z/pt36h", ["2026-01-01T00:00:00Z", "2026-01-02T12:00:00Z"]),
        ("R2/1970-01-01/P1D", midnights("1970-01-01", "1970-01-02")),
    ],
)  # fmt: skip
def test_values_found_by_others(text: str, expected: list[str]) -> None:
    assert instants(text) == expected
    assert instants(text, count=1) == expected[:1]


def test_without_a_number_it_has_no_end() -> None:
    found = schedule(iso8601_spec("R/2026-01-31T00:00:00Z/P1M"))
    for year in (2026, 2126, 8900):
        assert found.next(round(datetime(year, 6, 1, tzinfo=UTC).timestamp() * 1000)) is not None
    assert found.next(round(datetime(8999, 12, 31, tzinfo=UTC).timestamp() * 1000)) is None


@pytest.mark.parametrize(
    ("text", "tz", "expected"),
    [
        ("R2/2026-03-28T12:00:00/P1D", "Europe/Berlin", ["2026-03-28T11:00:00Z", "2026-03-29T10:00:00Z"]),
        ("R2/2026-03-28T12:00:00/PT24H", "Europe/Berlin", ["2026-03-28T11:00:00Z", "2026-03-29T11:00:00Z"]),
        ("R2/2026-03-28T12:00:00+01:00/P1D", None, ["2026-03-28T11:00:00Z", "2026-03-29T11:00:00Z"]),
        ("R2/2026-03-28T12:00:00+01:00/P1D", "Europe/Berlin", [
            "2026-03-28T11:00:00Z", "2026-03-29T10:00:00Z",
        ]),
        ("R2/2026-03-28T02:30:00/P1D", "Europe/Berlin", ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"]),
        ("R2/2026-10-24T02:30:00/P1D", "Europe/Berlin", ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z"]),
        ("R4/2011-12-29T12:00:00/P1D", "Pacific/Apia", [
            "2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z",
        ]),
        ("R3/2026-03-28/2026-03-29", "Europe/Berlin", [
            "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z",
        ]),
    ],
)  # fmt: skip
def test_days_are_those_of_the_zone_and_hours_elapse(text: str, tz: str | None, expected: list[str]) -> None:
    assert instants(text, tz) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.integers(0, 3 * 366 * 86_400),
    st.dictionaries(st.sampled_from(sorted(UNITS)), st.integers(1, 40), min_size=1),
    st.integers(1, 60),
)
def test_the_calendar_equals_an_independent_walk(
    tz: str, seconds: int, parts: dict[str, int], count: int
) -> None:
    start = datetime(2025, 1, 1) + timedelta(seconds=seconds)
    period = "P" + "".join(f"{parts[unit]}{letter}" for unit, letter in UNITS.items() if unit in parts)
    place, expected = packaged_zone(tz), []
    for n in range(count):
        local = start + relativedelta(**{unit: number * n for unit, number in parts.items()})
        shown = local.replace(tzinfo=place)
        if shown.astimezone(UTC).astimezone(place).replace(tzinfo=None) != local:  # clocks jump over it
            shown = (shown.astimezone(UTC) - timedelta(hours=3)).replace(second=0)
            before = shown.astimezone(place).utcoffset()
            while shown.astimezone(place).utcoffset() == before:
                shown += timedelta(minutes=1)
        expected.append(round(shown.timestamp() * 1000))
    found = schedule(iso8601_spec(f"R{count}/{start.isoformat()}/{period}", tz)).upcoming(0, count + 1)
    assert found == expected


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("", "it begins with R", "R5/2026"),
        ("2026-01-31T00:00:00Z/P1M", "it begins with R", "R5/2026"),
        ("R-1/2026-01-01/P1D", "it begins with R", "R5/2026"),
        ("R0/2026-01-01/P1D", "R0 repeats nothing", "R alone is without end"),
        ("R99999999999/2026-01-01/P1D", "more than 1,000,000,000 times", "R alone"),
        ("R/P1D", "has no start", "R/2026-01-31T00:00:00Z/P1D"),
        ("R/P1D", "has no start", "R//P1D from when it is first applied"),
        ("R5//2026-01-31", "has no start", "R//P1D starts when it is first applied"),
        ("R5//", "has no start", ""),
        ("R5/2026-01-01", "three parts, not 2", "R5/start/period"),
        ("R5/2026-01-01/P1D/P1D", "three parts, not 4", ""),
        ("R5/P1D/P1D", "two periods", ""),
        ("R5/2026-01-01/", "an instant is missing", ""),
        ("R/P1M/2026-04-30", "has to say how often", "R12/P1M/2026-04-30"),
        ("R999/P1Y/2026-04-30", "begins before 1970", "smaller"),
        ("R/1969-12-31/P1D", "before 1970", ""),
        ("R/2026-01-01/P", "no time", "P1D"),
        ("R/2026-01-01/PT", "nothing follows the T", ""),
        ("R/2026-01-01/P1DT", "nothing follows the T", ""),
        ("R/2026-01-01/PT0S", "no time", ""),
        ("R/2026-01-01T00:00Z/PT0.05S", "shortest period is 100 ms", ""),
        ("R/2026-01-01T00:00Z/PT1.0001S", "whole number of milliseconds", ""),
        ("R/2026-01-01/P0.5M", "fraction of a day or more", "PT36H"),
        ("R/2026-01-01/PT1.5H1M", "not in the last part", "PT1H30M"),
        ("R/2026-01-01/-P1D", "has a sign", "goes forward"),
        ("R/2026-01-01/1D", "no instant", ""),
        ("R/2026-01-01/P1H", "no period", ""),
        ("R/2026-01-01/P0003-06-04T12:30:05", "no period", ""),
        ("R/2026-01-01/P99999999Y", "longer than what is left", ""),
        ("R/2026-13-01/P1D", "no instant", ""),
        ("R/2026-01-01T24:00Z/P1D", "no instant", ""),
        ("R/2026-01-01 00:00Z/P1D", "no instant", ""),
        ("R/2026-01-01T00:00:00.0001Z/P1D", "finer than a millisecond", ""),
        ("R/2026-01-08/2026-01-01", "its end is not after its start", ""),
        ("R/" + "9" * 300, "too long", ""),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(text: str, reason: str, hint: str) -> None:
    with pytest.raises(RepeatError) as caught:
        iso8601_spec(text)
    assert reason in str(caught.value)
    assert hint in caught.value.hint
