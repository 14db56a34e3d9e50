"""What became of tasks."""

from __future__ import annotations

from scheduler.words.record import NOW, SOON, Event, event


@event(8, wakes=NOW)
class TaskQueued(Event):
    """A task waits for a place."""

    task: int
    run: int
    name: str
    member: str  #: empty: the whole task
    round: int


@event(30, wakes=SOON)
class TaskBegun(Event):
    """Its work in the state began, and lasts until then."""

    task: int
    run: int
    name: str
    member: str
    round: int
    until_ms: int


@event(31, wakes=SOON)
class TaskEnded(Event):
    """Its work in the state ended, by itself or because its run did."""

    task: int
    run: int
    name: str
    member: str
    round: int
    state: str
