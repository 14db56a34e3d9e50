"""What became of staged applies."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(55, wakes=SOON)
class StageMoved(Event):
    stage: str
    state: str  #: words.lifecycle
    reason: str = ""
