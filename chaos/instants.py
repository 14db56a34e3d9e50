"""Jobs that are due at instants which are known beforehand: each said by an `at`, those of a span, and those
of a day that is said in a roundabout way.

They begin when all has been declared, and what is due behind the load is of nobody's window. The day is the
one of the first instant, in UTC: by how far it lies before the last of its month, and not by its weekday with
the number of another day (`days: both`), which is a day of some other month. So who takes one for the other,
or one of both for enough, finds too much due or nothing.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chaos.case import Declared

AT, WITHIN, DAY = "at", "within", "roundabout"
JOBS = (AT, WITHIN, DAY)
FIRST_MS, STEP_MS = 20_000, 2_000
COUNT = {AT: 90, WITHIN: 5, DAY: 60}


def timed(job: Declared, now_ms: float) -> Declared:
    """With its instants, where it is one of these: whole even seconds."""
    if job.name not in JOBS:
        return job
    first_ms = (int(now_ms) + FIRST_MS) // STEP_MS * STEP_MS
    times = tuple(first_ms + n * STEP_MS for n in range(COUNT[job.name]))
    if job.name == DAY:
        times = tuple(at_ms for at_ms in times if _at(at_ms).date() == _at(first_ms).date())
    return replace(job, times=times)


def triggers(job: Declared) -> list[dict[str, Any]]:
    if job.name == AT:
        return [{"at": _text(at_ms)} for at_ms in job.times]
    # Its end is an instant of the expression too, and no tick.
    valid = {"from": _text(job.times[0]), "until": _text(job.times[0] + COUNT[job.name] * STEP_MS)}
    if job.name == WITHIN:
        return [{"cron": "*/2 * * * * *", "valid": valid, "id": "span"}]
    day = _at(job.times[0])
    before_last = monthrange(day.year, day.month)[1] - day.day
    of_month = f"L-{before_last}" if before_last else "L"
    other, weekday = day.day % 28 + 1, day.isoweekday()
    return [
        {"cron": f"*/2 * * {of_month} * *", "valid": valid, "id": "from-the-end"},
        {"cron": f"*/2 * * {other} * {weekday}", "days": "both", "id": "both"},
    ]


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)


def _text(at_ms: int) -> str:
    return _at(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")
