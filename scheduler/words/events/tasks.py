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


@event(79, wakes=NOW)
class TaskDue(Event):
    """What it waits for in the state has come, or is to be broken off: it is to be looked at."""

    task: int
    run: int
    name: str
    member: str
    round: int


@event(31, wakes=SOON)
class TaskEnded(Event):
    """Its work in the state ended, by itself or because its run did."""

    task: int
    run: int
    name: str
    member: str
    round: int
    state: str


@event(106, wakes=SOON)
class MembersFixed(Event):
    """A task that is divided began, with so many members."""

    task: int  #: the whole
    run: int
    name: str
    round: int
    members: int


@event(107, wakes=SOON)
class MembersJoined(Event):
    """The ends of its members decided how a divided task ended. Members that have not ended go on, or are
    cancelled where it failed."""

    task: int  #: the whole
    run: int
    name: str
    round: int
    state: str
    succeeded: int  #: members
    failed: int
    skipped: int


@event(85, wakes=SOON)
class RoundBegun(Event):
    """A group of tasks began: for the first time, or another round of it."""

    task: int  #: that is the group
    run: int
    name: str
    round: int


@event(69, wakes=SOON)
class WindowEnded(Event):
    """Tasks of a group may not start: it is outside of its admission windows."""

    task: int
    run: int
    name: str
    round: int
    until_ms: int  #: when the next one opens, as it is known


@event(70)
class WindowOpened(Event):
    """Tasks of a group may start."""

    task: int
    run: int
    name: str
    round: int


@event(86, wakes=SOON)
class RoundEnded(Event):
    """The tasks of a group ended, or those that catch its failure."""

    task: int
    run: int
    name: str
    round: int
    state: str  #: how they ended; of the last round how the group did
    then: str  #: retry | repeat | catch | held; empty: it was the last one
    again_ms: int | None  #: when the next round begins
