"""OnCalendar, held against systemd's own reading of it where that is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from cli.importing.gathering import NotTaken
from cli.importing.schedules.calendar_events import calendar_event
from scheduler.model import parse_job, prepare
from scheduler.ticks import schedule
from tests.cli.importing.walk import packaged

#: Right before both nights in which clocks change there, and before a turn of the year.
BASES = {
    "Europe/Berlin": "2026-03-28 20:00:00 UTC",
    "America/New_York": "2026-10-31 20:00:00 UTC",
    "UTC": "2026-12-25 00:00:00 UTC",
}
EVENTS = [
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannually",
    "yearly",
    "annually",
    "Mon..Fri 02:30",
    "Mon..Fri *-*-* 02:30:00",
    "Sat,Sun 20:00",
    "Fri..Sun,Tue 1:30",
    "monday 9:00",
    "*-*-* *:0/15",
    "*:0/7",
    "*:0/25",
    "*:0/30",
    "*-*-01/2 01:30",
    "*-*~1 22:00",
    "Mon..Fri *-*~1",
    "*-*~7/1",
    "*-*~3",
    "*-*~1..3 12:00",
    "Fri *-*-01..07 02:30",
    "*-1,4,7,10-1",
    "*-2~1",
    "22..23,0..4:00",
    "22:00..02:00",
    "02..06/2:00:30",
    "*-*-13 0/6:15",
    "*:*:0/20",
    "00:00:00",
    "Mon *-05~07/1",
    "2026..2027-*-1 4:00",
    "*-12-24..26 18:00",
]
UNEVEN = {"*:0/7", "*:0/25"}  #: systemd leaves out 00:00, which findings/systemd-midnight.sh shows
COUNT = 60


def by_systemd(event: str, zone: str) -> list[int]:
    asked = [
        "systemd-analyze",
        "calendar",
        f"--iterations={COUNT}",
        f"--base-time={BASES[zone]}",
        f"{event} {zone}",
    ]
    told = subprocess.run(
        asked, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}
    )
    stamps = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", told.stdout)
    return [round(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp() * 1000) for stamp in stamps]


def is_midnight(tick: int, zone: str) -> bool:
    return f"{datetime.fromtimestamp(tick / 1000, packaged(zone)):%H:%M}" == "00:00"


def test_the_midnight_that_systemd_leaves_out_is_told() -> None:
    assert [bool(calendar_event(event, "UTC").notes) for event in ("*:0/7", "*:0/20", "*:3/7", "hourly")] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("zone", BASES)
def test_each_event_comes_as_systemd_says(zone: str) -> None:
    base = round(
        datetime.strptime(BASES[zone], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC).timestamp() * 1000
    )
    for event in EVENTS:
        there = by_systemd(event, zone)
        job = {"job": "a", "run": "x", "triggers": [calendar_event(f"{event} {zone}", "UTC").trigger]}
        (trigger,) = prepare(parse_job(job), base).triggers
        assert there
        here = [
            tick
            for tick in schedule(trigger.spec).upcoming(base, len(there) + 1)
            if tick <= there[-1] and not (event in UNEVEN and is_midnight(tick, zone))
        ]
        assert here == there, event


if not shutil.which("systemd-analyze"):  # .ci/run installs it, or says that it is left out
    del test_each_event_comes_as_systemd_says


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("24:00", "not within 0 to 23"),
        ("Sun..Tue", "runs backwards"),
        ("Foo 10:00", "no day of the week"),
        ("10:00 10:00", "nothing that systemd takes"),
        ("*-*-* 10:00:00.5", "only whole numbers"),
        ("2026,2028-1-1", "follow each other"),
        ("*-*~30", "last 28 days"),
        ("", "says nothing"),
    ],
)
def test_what_systemd_refuses_or_no_trigger_says_is_not_taken(event: str, said: str) -> None:
    with pytest.raises(NotTaken, match=re.escape(said)):
        calendar_event(event, "UTC")
