"""The oracle: what was due, and what the evidence says of it.

Rules: independent of the product; plain arithmetic on UTC milliseconds. Evidence is what payloads wrote
("JOB TICK" a line) or what runs say of themselves. A tick due in (from, until] must appear exactly
once; an instant that was never due must not appear at all, inside the window or out of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SHOWN = 10  #: examples of each kind that a report names


@dataclass(frozen=True, slots=True)
class Every:
    """A job that is due every `period_ms` at `offset_ms` past the Unix epoch."""

    job: str
    period_ms: int
    offset_ms: int = 0

    def due(self, from_ms: int, until_ms: int) -> range:
        """Its instants in (from, until]."""
        first = from_ms + 1 + (self.offset_ms - from_ms - 1) % self.period_ms
        return range(first, until_ms + 1, self.period_ms)

    def is_due(self, instant_ms: int) -> bool:
        return instant_ms % self.period_ms == self.offset_ms % self.period_ms


@dataclass(frozen=True, slots=True)
class Judgement:
    """Due ticks against evidence. The lists hold (job, instant) of every offence."""

    due: int
    seen: int
    missed: list[tuple[str, int]]
    doubled: list[tuple[str, int]]
    strange: list[tuple[str, int]]  #: seen, but never due

    @property
    def clean(self) -> bool:
        return not (self.missed or self.doubled or self.strange)

    def __str__(self) -> str:
        text = (
            f"{self.due:,} due, {self.seen:,} seen, {len(self.missed)} missed, "
            f"{len(self.doubled)} doubled, {len(self.strange)} never due"
        )
        for kind in ("missed", "doubled", "strange"):
            examples = getattr(self, kind)[:SHOWN]
            if examples:
                named = ", ".join(f"{job}@{instant(at)}" for job, at in examples)
                text += f"; {kind}: {named}"
        return text


def judge(
    jobs: Iterable[Every], seen: Mapping[tuple[str, int], int], *, from_ms: int, until_ms: int
) -> Judgement:
    """Compare the evidence (how often each (job, instant) was seen) with what was due."""
    schedule = {job.job: job for job in jobs}
    due = [(name, at) for name, job in schedule.items() for at in job.due(from_ms, until_ms)]
    missed = [key for key in due if not seen.get(key)]
    doubled = [key for key, count in seen.items() if count > 1]
    strange = [(name, at) for name, at in seen if name not in schedule or not schedule[name].is_due(at)]
    return Judgement(len(due), sum(seen.values()), missed, sorted(doubled), sorted(strange))


def read_lines(path: Path) -> Counter[tuple[str, int]]:
    """How often each "JOB TICK" line is in a payload's file. A line without a tick counts as instant 0."""
    counts: Counter[tuple[str, int]] = Counter()
    if path.exists():
        for line in path.read_text().splitlines():
            name, _, tick = line.partition(" ")
            counts[name, milliseconds(tick) if tick else 0] += 1
    return counts


def start_ms(run: Mapping[str, Any]) -> int | None:
    """When work of this run first started, as its agent says.

    The run's own `started` is only the stamp of its grant, which lies ahead of the start."""
    starts = [
        milliseconds(attempt["started"])
        for task in run["tasks"].values()
        for attempt in task["attempts"]
        if attempt["started"]
    ]
    return min(starts, default=None)


def milliseconds(text: str) -> int:
    """UTC milliseconds of an RFC 3339 instant."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return round(moment.timestamp() * 1000)


def instant(ms: int) -> str:
    """RFC 3339, UTC, with milliseconds where they are not zero."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds" if ms % 1000 else "seconds").replace("+00:00", "Z")
