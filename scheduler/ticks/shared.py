"""What a spec says of the named schedule that it comes from, and when a substitute takes its place.

Rules of this file:

1. A trigger that comes from a schedule says which (`schedule`), and of a substitute's which that is
   (`substitute`). Neither decides an instant.
2. In [from, until) of a substitute the schedule's own instants are none (`without`); the substitute's are
   those in it (`valid`). So a spec holds both sides, and any cut of a range gives the same ticks.
"""

from __future__ import annotations

import json
from typing import NamedTuple, Protocol

from scheduler.words.json_text import json_text


class Span(NamedTuple):
    """[from, until) of a substitute, which is named."""

    from_ms: int
    until_ms: int
    substitute: str


class Instants(Protocol):
    @property
    def per_day(self) -> int: ...

    def between(self, after_ms: int, until_ms: int, limit: int = ..., /) -> list[int]: ...

    def next(self, after_ms: int, /) -> int | None: ...

    def upcoming(self, after_ms: int, count: int, /) -> list[int]: ...


class ReplacedSchedule:
    """Of another schedule the ticks that are in none of these spans, which come in order and apart."""

    __slots__ = ("schedule", "spans")

    def __init__(self, schedule: Instants, spans: tuple[Span, ...]) -> None:
        self.schedule, self.spans = schedule, spans

    @property
    def per_day(self) -> int:
        return self.schedule.per_day

    def between(self, after_ms: int, until_ms: int, limit: int = 10_000) -> list[int]:
        found: list[int] = []
        for span in self.spans:
            if after_ms < span.from_ms:
                last_ms = min(until_ms, span.from_ms - 1)
                found += self._part(after_ms, last_ms, limit - len(found))
            after_ms = max(after_ms, span.until_ms - 1)
        return found + self._part(after_ms, until_ms, limit - len(found))

    def _part(self, after_ms: int, until_ms: int, limit: int) -> list[int]:
        return self.schedule.between(after_ms, until_ms, limit) if after_ms < until_ms and limit > 0 else []

    def next(self, after_ms: int) -> int | None:
        due_ms = self.schedule.next(after_ms)
        for span in self.spans:
            if due_ms is not None and span.from_ms <= due_ms < span.until_ms:
                due_ms = self.schedule.next(span.until_ms - 1)
        return due_ms

    def upcoming(self, after_ms: int, count: int) -> list[int]:
        found: list[int] = []
        for span in self.spans:
            if len(found) < count and after_ms < span.from_ms - 1:
                coming = self.schedule.upcoming(after_ms, count - len(found))
                found += [at_ms for at_ms in coming if at_ms < span.from_ms]
            after_ms = max(after_ms, span.until_ms - 1)
        return found + (self.schedule.upcoming(after_ms, count - len(found)) if len(found) < count else [])

    def given_way_to(self, at_ms: int) -> Span | None:
        return next((span for span in self.spans if span.from_ms <= at_ms < span.until_ms), None)


def shared_spec(spec: bytes, of: str, *, substitute: str = "", without: tuple[Span, ...] = ()) -> bytes:
    """The spec of a trigger of this schedule, `namespace/name`; or of what takes its place, by name."""
    fields = json.loads(spec) | {"schedule": of}
    if substitute:
        fields["substitute"] = substitute
    if without:
        fields["without"] = [list(span) for span in without]
    return json_text(fields)


def shared_of(spec: bytes) -> tuple[str, str]:
    """The schedule that a trigger comes from, `namespace/name`, and the substitute in its place; empty: it is
    of none."""
    if b'"schedule"' not in spec:
        return "", ""
    try:
        fields = json.loads(spec)
    except (ValueError, RecursionError):
        return "", ""
    found = fields if isinstance(fields, dict) else {}
    return str(found.get("schedule", "")), str(found.get("substitute", ""))


def spans_of(without: object) -> tuple[Span, ...]:
    """Of what a spec says. Raises ValueError for what is none."""
    try:
        spans = tuple(Span(*each) for each in without)  # type: ignore[attr-defined]  # what is no list raises
        last_ms = 0
        for span in spans:
            if not last_ms <= span.from_ms < span.until_ms:
                raise ValueError("spans in order")
            last_ms = span.until_ms
    except (TypeError, ValueError) as error:
        raise ValueError("not a trigger spec: `without` are spans in order") from error
    return spans
