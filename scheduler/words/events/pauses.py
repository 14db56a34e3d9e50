"""What was paused as a whole, and resumed."""

from __future__ import annotations

from scheduler.words.record import NOW, Event, event


@event(28)
class Paused(Event):
    namespace: str  #: empty: all
    reason: str
    until_ms: int | None
    actor: str


@event(29, wakes=NOW)
class Resumed(Event):
    namespace: str
    actor: str  #: empty: its time was over
