"""What a job is expected to do, as the machine, the agents and people's pages read it. No pydantic.

Rules of this file:

1. A time of the day is the first one after the tick's nominal instant, by the wall of its zone; of what has
   no tick, the first one since its plan date began. In a gap it is the instant right after that; of two,
   the first. So "06:00" of a tick at 23:00 is the next morning, with or without a change of the clocks.
2. A duration counts from the instant at which the run was due.
3. A share is one of the median of what the job's newest runs took that succeeded (`tables.durations`). With
   fewer than `RUNS_MIN` of them nobody knows what is usual: nothing is forecast, and no share is told of.
4. A period of less than a day is counted from the Unix epoch, a day is a plan date of the namespace, a week
   seven of them from Monday.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from scheduler.model.quantities import parse_duration_ms
from scheduler.ticks import plan_days
from scheduler.ticks.plan_days import Pieces
from scheduler.ticks.zones import Zone

LATE_START, LATE_END, AT_RISK = "late_start", "late_end", "at_risk"
SHORT, LONG, STALLED, TOO_FEW = "short", "long", "stalled", "too_few"
WORDS = (LATE_START, AT_RISK, LATE_END, SHORT, LONG, STALLED, TOO_FEW)
"""What is told where an expectation does not hold."""

DAY_MS, WEEK_MS = 86_400_000, 7 * 86_400_000
RUNS_MIN = 3
_MONDAY = 4  #: 1970-01-05, of a day number modulo seven


class By(NamedTuple):
    minutes: int | None  #: of the day; None: `after_ms` counts
    after_ms: int

    def instant_ms(self, zone: Zone, *, due_ms: int, tick_ms: int | None, begins_ms: int) -> int:
        """`begins_ms`: when its plan date does."""
        if self.minutes is None:
            return due_ms + self.after_ms
        return first_at_ms(zone, begins_ms - 1 if tick_ms is None else tick_ms, self.minutes)


class Span(NamedTuple):
    share: int | None  #: of what is usual, in percent; None: `length_ms` counts
    length_ms: int

    def of(self, usual_ms: int | None) -> int | None:
        """None: nobody knows what is usual."""
        if self.share is None:
            return self.length_ms
        return None if usual_ms is None else usual_ms * self.share // 100


class AtLeast(NamedTuple):
    wanted: int
    per_ms: int

    def period(self, days: Pieces, at_ms: int) -> tuple[int, int]:
        """The instants of the period that holds this one, up to the first that is not of it. `days`: of its
        namespace."""
        if self.per_ms < DAY_MS:
            from_ms = at_ms - at_ms % self.per_ms
            return from_ms, from_ms + self.per_ms
        first = plan_days.day_of(days, at_ms)
        if self.per_ms == DAY_MS:
            return plan_days.span_of(days, first)
        first -= (first - _MONDAY) % 7
        return plan_days.span_of(days, first)[0], plan_days.span_of(days, first + 7)[0]


class Expected(NamedTuple):
    start_by: By | None
    end_by: By | None
    shortest: Span | None
    longest: Span | None
    quiet_ms: int | None  #: in which an attempt writes something
    at_least: AtLeast | None
    tz: str  #: of times of the day; empty: that of the trigger, else of the namespace's plan

    @property
    def has_clock(self) -> bool:
        """Whether it names a time of the day."""
        return any(by is not None and by.minutes is not None for by in (self.start_by, self.end_by))

    @property
    def of_runs(self) -> bool:
        """Whether something is watched of each run."""
        return self.start_by is not None or self.end_by is not None or self.longest is not None

    @property
    def asks_usual(self) -> bool:
        """Whether it has to be known how long runs take."""
        spans = (self.shortest, self.longest)
        return self.end_by is not None or any(span is not None and span.share is not None for span in spans)


def compiled_expected(job: dict[str, Any]) -> Expected:
    """Of a canonical job that expects something."""
    shape = job["expect"]
    duration, at_least = shape.get("duration") or {}, shape.get("at_least")
    return Expected(
        _by(shape.get("start_by")), _by(shape.get("end_by")), _span(duration.get("min")),
        _span(duration.get("max")),
        parse_duration_ms(shape["output_within"]) if "output_within" in shape else None,
        None if at_least is None else AtLeast(at_least["n"], parse_duration_ms(at_least["per"])),
        shape.get("tz") or "",
    )  # fmt: skip


def clock_minutes(text: str) -> int | None:
    """Of "06:00": minutes of the day; None: it is a duration."""
    hours, colon, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes) if colon else None


def share_of(text: str) -> int | None:
    """Of "200%"; None: it is a duration."""
    return int(text[:-1]) if text.endswith("%") else None


def risk_ms(end_ms: int, usual_ms: int | None) -> int | None:
    """From when on a run that has not started will not have ended by then; None: nobody knows."""
    return None if usual_ms is None else end_ms - usual_ms


def first_at_ms(zone: Zone, after_ms: int, minutes: int) -> int:
    """The first instant after this one at which clocks of the zone begin to show that time of the day."""
    after_s = after_ms // 1_000
    day = (after_s + zone.offset_s(after_s)) // 86_400
    for later in range(-1, 3):
        at_s = zone.instant_s((day + later) * 86_400 + minutes * 60)
        if at_s is not None and at_s * 1_000 > after_ms:
            return at_s * 1_000
    return after_ms + DAY_MS  # beyond what zones tell


def _by(text: str | None) -> By | None:
    if text is None:
        return None
    minutes = clock_minutes(text)
    return By(minutes, 0 if minutes is not None else parse_duration_ms(text))


def _span(text: str | None) -> Span | None:
    if text is None:
        return None
    share = share_of(text)
    return Span(share, 0 if share is not None else parse_duration_ms(text))
