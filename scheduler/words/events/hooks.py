"""What came in by hooks."""

from __future__ import annotations

from scheduler.words.record import Event, event


@event(63)
class Delivered(Event):
    """A hook has taken a delivery."""

    namespace: str
    name: str  #: of the hook
    delivery: str
    runs: int  #: that were made of it
