"""What became of objects that jobs refer to."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(50, wakes=SOON)
class ObjectPut(Event):
    kind: str
    namespace: str
    name: str
    revision: int
    created: bool


@event(51)
class ObjectDeleted(Event):
    kind: str
    namespace: str
    name: str
