"""Jobs that are due at instants which are known beforehand: each said by an `at`, those of a span, those of a
day that is said in a roundabout way, those of a working day, and those that move to one.

They begin when all has been declared, and what is due behind the load is of nobody's window. The day is the
one of the first instant, in UTC: by how far it lies before the last of its month, and not by its weekday with
the number of another day (`days: both`), which is a day of some other month. So who takes one for the other,
or one of both for enough, finds too much due or nothing.

By a calendar of these jobs alone it is a working day, counted here day by day from the begin of its month or
from the end, whichever is nearer, and not the one before it. The day before is off: what is due
then comes a day later, at the same time of day.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chaos.case import Declared

AT, WITHIN, DAY, WORKDAY, MOVED = "at", "within", "roundabout", "working-day", "moved"
DATED = (WORKDAY, MOVED)
JOBS = (AT, WITHIN, DAY, *DATED)
CALENDAR = "chaos-days"
FIRST_MS, STEP_MS, HOUR_MS = 20_000, 2_000, 3_600_000
MIDDLE = 15  #: a day of the month
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
COUNT = {AT: 90, WITHIN: 5, DAY: 60, WORKDAY: 60, MOVED: 60}


def timed(job: Declared, now_ms: float) -> Declared:
    """With its instants, where it is one of these: whole even seconds."""
    if job.name not in JOBS:
        return job
    first_ms = (int(now_ms) + FIRST_MS) // STEP_MS * STEP_MS
    times = tuple(first_ms + n * STEP_MS for n in range(COUNT[job.name]))
    if job.name in (DAY, WORKDAY):
        times = tuple(at_ms for at_ms in times if _at(at_ms).date() == _at(first_ms).date())
    if job.name == MOVED:
        times = tuple(at_ms for at_ms in times if at_ms // HOUR_MS == first_ms // HOUR_MS)
    return replace(job, times=times)


def triggers(job: Declared) -> list[dict[str, Any]]:
    if job.name == AT:
        return [{"at": _text(at_ms)} for at_ms in job.times]
    # Its end is an instant of the expression too, and no tick.
    valid = {"from": _text(job.times[0]), "until": _text(job.times[0] + COUNT[job.name] * STEP_MS)}
    if job.name == WITHIN:
        return [{"cron": "*/2 * * * * *", "valid": valid, "id": "span"}]
    day = _at(job.times[0])
    if job.name == WORKDAY:
        each = {"cron": "*/2 * * * * *", "calendar": {"include": [CALENDAR]}}
        of_month = {"nth": _nearer(day.date()), "of": "month"}
        before = {"nth": _before(day.date()), "of": "month"}
        return [
            {**each, "workday": of_month, "valid": valid, "id": "this"},
            {**each, "workday": before, "id": "another"},
        ]
    if job.name == MOVED:
        minutes = ",".join(sorted({str(_at(at_ms).minute) for at_ms in job.times}))
        cron = f"*/2 {minutes} {day.hour} {(day - timedelta(days=1)).day} * *"
        to_this = {"include": [CALENDAR], "nonworking": "after"}
        return [{"cron": cron, "calendar": to_this, "valid": valid, "id": "from-the-day-before"}]
    before_last = monthrange(day.year, day.month)[1] - day.day
    from_end = f"L-{before_last}" if before_last else "L"
    other, weekday = day.day % 28 + 1, day.isoweekday()
    return [
        {"cron": f"*/2 * * {from_end} * *", "valid": valid, "id": "from-the-end"},
        {"cron": f"*/2 * * {other} * {weekday}", "days": "both", "id": "both"},
    ]


def calendar_of(job: Declared) -> dict[str, list[str]]:
    return _calendar(_at(job.times[0]).date())


def _calendar(day: date) -> dict[str, list[str]]:
    """In which this is a working day, whatever it is elsewhere, and the one before it is off."""
    days = _month(day)
    weekend = [(day.weekday() + apart) % 7 for apart in (2, 3)]
    off = [each for each in days if each.day % 5 == 2 and each != day]
    at_work = [each for each in days if each.weekday() in weekend and each not in off][-1:]
    yesterday = day - timedelta(days=1)
    return {
        "weekend": [WEEK[number] for number in weekend],
        "exclude": sorted({each.isoformat() for each in (*off, yesterday)}),
        "extra_working": [each.isoformat() for each in at_work if each != yesterday],
    }


def _working(day: date) -> list[date]:
    """The working days of its month."""
    days = _calendar(day)
    return [
        each
        for each in _month(day)
        if each.isoformat() not in days["exclude"]
        and (WEEK[each.weekday()] not in days["weekend"] or each.isoformat() in days["extra_working"])
    ]


def _nearer(day: date) -> int:
    days = _working(day)
    return days.index(day) + 1 if day.day <= MIDDLE else days.index(day) - len(days)


def _before(day: date) -> int:
    """The one before it, from the other side; of the month's first its last: not tomorrow."""
    days = _working(day)
    before = days.index(day) - 1
    return before + 1 if day.day > MIDDLE else before - len(days) if before >= 0 else -1


def _month(day: date) -> list[date]:
    return [day.replace(day=number + 1) for number in range(monthrange(day.year, day.month)[1])]


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)


def _text(at_ms: int) -> str:
    return _at(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")
