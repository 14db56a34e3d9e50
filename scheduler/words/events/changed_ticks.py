"""What people said of single ticks to come."""

from __future__ import annotations

from scheduler.words.record import NOW, Event, event


@event(110, wakes=NOW)
class TickChanged(Event):
    job: int
    namespace: str
    name: str
    trigger: str  #: its key
    at_ms: int
    act: str  #: hold | release | skip | move | give
    due_ms: int | None  #: of one that is moved
    reason: str
    actor: str


@event(113)
class TickChangeDropped(Event):
    """The trigger has no such tick any more: what a person had said of it goes."""

    job: int
    namespace: str
    name: str
    trigger: str
    at_ms: int
