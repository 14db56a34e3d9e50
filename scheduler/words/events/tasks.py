"""What became of tasks."""

from __future__ import annotations

from scheduler.words.record import NOW, Event, event


@event(8, wakes=NOW)
class TaskQueued(Event):
    """A task waits for a place."""

    task: int
    run: int
    name: str
    member: str  #: empty: the whole task
    round: int
