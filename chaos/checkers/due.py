"""The oracle: what was due. Plain arithmetic for intervals, cronsim for cron; never the product's code."""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim

from chaos.case import Declared

DUE_MAX = 1_000_000


def due_ms(job: Declared, from_ms: float, until_ms: float) -> list[int]:
    """Instants of this job in (from, until], UTC milliseconds."""
    if job.times:
        return [at_ms for at_ms in job.times if from_ms < at_ms <= until_ms]
    if job.every_ms:
        first = int(from_ms) + 1 + (job.offset_ms - int(from_ms) - 1) % job.every_ms
        return list(range(first, int(until_ms) + 1, job.every_ms))
    found: list[int] = []
    # cronsim gives what comes after an instant of whole seconds.
    for moment in CronSim(job.cron, datetime.fromtimestamp(from_ms // 1000, UTC)):
        at_ms = round(moment.timestamp() * 1000)
        if at_ms > until_ms or len(found) >= DUE_MAX:
            break
        if at_ms > from_ms:
            found.append(at_ms)
    return found


def is_due(job: Declared, at_ms: int) -> bool:
    """Whether this instant is one of the job's, ever."""
    if job.times:
        return at_ms in job.times
    if job.every_ms:
        return at_ms % job.every_ms == job.offset_ms % job.every_ms
    return at_ms in due_ms(job, at_ms - 1000, at_ms)


def seconds(text: str) -> float:
    """How long a duration of a policy is: 500ms, 3s, 1m, 2h."""
    number = text.rstrip("dhms")
    return float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}[text[len(number) :]]
