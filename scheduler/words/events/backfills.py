"""What became of backfills."""

from __future__ import annotations

from scheduler.words.record import NOW, SOON, Event, event


@event(114, wakes=NOW)
class BackfillBegan(Event):
    backfill: int
    job: int
    namespace: str
    name: str
    trigger: str  #: its key
    instants: int
    actor: str


@event(115, wakes=SOON)
class BackfillMoved(Event):
    """A run of it ended."""

    backfill: int
    job: int
    namespace: str
    name: str
    run: int
    state: str


@event(116)
class BackfillEnded(Event):
    backfill: int
    job: int
    namespace: str
    name: str
    state: str  #: done | cancelled
    reason: str
