"""The instants of a schedule by a walk over the days of a year, which asks nothing of ours: the days and
times are written in each test by hand, as the source system's own documentation or a run of it has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo

from cli.importing.found import Found, Source, Wishes
from cli.importing.reading import read as read_files
from scheduler.model import parse_job, prepare
from scheduler.ticks import schedule

YEAR = 2026
BEGIN, END = datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR + 1, 1, 1, tzinfo=UTC)


@cache
def packaged(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as source:
        return ZoneInfo.from_file(source, key=name)


def at(*texts: str) -> list[time]:
    return [time.fromisoformat(text) for text in texts]


def each(step_min: int, begin: str = "00:00", end: str = "24:00", second: int = 0) -> list[time]:
    """Times from begin on, before end."""
    first, last = (int(text[:2]) * 60 + int(text[3:]) for text in (begin, end))
    return [time(minute // 60, minute % 60, second) for minute in range(first, last, step_min)]


def walked(
    tz: str, days: Callable[[date], bool], times: Iterable[time], *, twice: Literal["first", "last", "both"]
) -> list[datetime]:
    """All instants of the year at which clocks in `tz` show one of `times` on one of `days`; `twice`: of an
    hour that comes twice. A time that is jumped over is none."""
    zone, found = packaged(tz), set()
    times = list(times)
    day = date(YEAR - 1, 12, 31)
    while day <= date(YEAR + 1, 1, 1):
        for clock in times if days(day) else ():
            local = datetime.combine(day, clock)
            instants = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
            shown = sorted(i for i in instants if i.astimezone(zone).replace(tzinfo=None) == local)
            found.update(shown if twice == "both" else shown[:1] if twice == "first" else shown[-1:])
        day += timedelta(days=1)
    return sorted(instant for instant in found if BEGIN <= instant < END)


def read(name: str, text: str, file: str = "file", **wishes: Any) -> Found:
    return read_all(name, {file: text}, **wishes)


def read_all(name: str, texts: dict[str, str], **wishes: Any) -> Found:
    return read_files(name, [Source(file, text) for file, text in texts.items()], Wishes(**wishes))


def fired(job: dict[str, Any]) -> list[datetime]:
    """The job's own instants of the year, one of several triggers at one instant counted once."""
    begin, end = (round(instant.timestamp() * 1000) for instant in (BEGIN, END))
    found: set[int] = set()
    for trigger in prepare(parse_job(job), begin).triggers:
        cuts = [*range(begin - 1, end - 1, 30 * 86_400_000), end - 1]  # what is asked for at once is bounded
        ticks = [tick for cut, until in pairwise(cuts) for tick in schedule(trigger.spec).between(cut, until)]
        assert not found & set(ticks), "two triggers at one instant are two runs"
        found |= set(ticks)
    return [datetime.fromtimestamp(tick / 1000, UTC) for tick in sorted(found)]


def one(found: Found) -> dict[str, Any]:
    """Its only job, where nothing was refused."""
    assert not found.problems
    (job,) = found.jobs
    return job


def notes(found: Found) -> list[tuple[int, str]]:
    return [(note.line, note.reason) for note in found.notes]


def refused(found: Found) -> str:
    """Line and reason of its only problem, where no job was taken."""
    assert not found.jobs
    (problem,) = found.problems
    return f"{problem.line}: {problem.reason}"
