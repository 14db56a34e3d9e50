"""Jobs that are due at instants which are known beforehand: each said by an `at`, and those of a span.

They begin when all has been declared, and what is due behind the load is of nobody's window.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chaos.case import Declared

AT, WITHIN = "at", "within"
JOBS = (AT, WITHIN)
FIRST_MS, STEP_MS = 20_000, 2_000
COUNT = {AT: 90, WITHIN: 5}


def timed(job: Declared, now_ms: float) -> Declared:
    """With its instants, where it is one of these: whole even seconds."""
    if job.name not in JOBS:
        return job
    first_ms = (int(now_ms) + FIRST_MS) // STEP_MS * STEP_MS
    times = tuple(first_ms + n * STEP_MS for n in range(COUNT[job.name]))
    return replace(job, times=times)


def triggers(job: Declared) -> list[dict[str, Any]]:
    if job.name == AT:
        return [{"at": _text(at_ms)} for at_ms in job.times]
    # Its end is an instant of the expression too, and no tick.
    valid = {"from": _text(job.times[0]), "until": _text(job.times[-1] + STEP_MS)}
    return [{"cron": "*/2 * * * * *", "valid": valid, "id": "span"}]


def _text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
