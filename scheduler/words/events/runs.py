"""What became of runs."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(7)
class RunCreated(Event):
    run: int
    job: int
    namespace: str
    name: str
    cause: str
    cause_key: str  #: empty: of a tick, or of a person
    trigger: int
    tick_ms: int | None
    due_ms: int


@event(15)
class RunStarted(Event):
    run: int
    job: int
    namespace: str
    name: str


@event(78)
class FinallyBegun(Event):
    """All the rest of it ended so; what it does finally begins."""

    run: int
    job: int
    namespace: str
    name: str
    state: str


@event(16)
class RunEnded(Event):
    run: int
    job: int
    namespace: str
    name: str
    state: str
    exit_code: int | None
    warned: bool = False  #: a task of it ended well, with a warning


@event(119, wakes=SOON)
class RunWaits(Event):
    """It waits until its time has come: for an admission window of its job."""

    run: int
    job: int
    namespace: str
    name: str
    until_ms: int  #: as it is known
