"""What became of notices on boards."""

from __future__ import annotations

from scheduler.words.record import NOW, Event, event


@event(64, wakes=NOW)
class NoticePosted(Event):
    namespace: str
    name: str  #: of the board
    serial: int
    notice: str
    expires_ms: int


@event(65)
class NoticeDeleted(Event):
    namespace: str
    name: str
    serial: int
    notice: str
