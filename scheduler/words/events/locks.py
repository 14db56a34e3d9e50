"""Who took resources, and gave them back."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(111, wakes=SOON)
class LocksTaken(Event):
    """With the placement of this task; some of them for its run."""

    run: int
    task: int
    resources: tuple[str, ...]


@event(112)
class LocksGivenBack(Event):
    run: int
    task: int  #: 0: they were the run's
    resources: tuple[str, ...]
