"""What became of jobs."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(2, wakes=SOON)
class JobPut(Event):
    job: int
    namespace: str
    name: str
    revision: int
    created: bool


@event(3, wakes=SOON)
class JobDeleted(Event):
    job: int
    namespace: str
    name: str


@event(4)
class JobPaused(Event):
    job: int
    namespace: str
    name: str
    reason: str = ""


@event(122)
class JobLeftBehind(Event):
    """It could not follow its template: it stays as it is."""

    job: int
    namespace: str
    name: str
    template: str  #: namespace/name
    reason: str


@event(5, wakes=SOON)
class JobResumed(Event):
    job: int
    namespace: str
    name: str
