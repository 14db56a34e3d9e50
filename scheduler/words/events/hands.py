"""What persons did to live runs."""

from __future__ import annotations

from scheduler.words.record import NOW, Event, event


@event(73)
class RunHeld(Event):
    """It is kept back: made so, or suspended."""

    run: int
    job: int
    namespace: str
    name: str
    state: str  #: held | suspended
    reason: str
    actor: str


@event(74, wakes=NOW)
class RunReleased(Event):
    """It goes on."""

    run: int
    job: int
    namespace: str
    name: str
    state: str  #: pending | running
    actor: str


@event(75)
class TaskHeld(Event):
    """It waits for a person."""

    task: int
    run: int
    name: str
    member: str
    round: int
    failed: str  #: how it ends when it is released; empty: it starts
    reason: str
    actor: str


@event(76)
class TaskReleased(Event):
    """It does no longer."""

    task: int
    run: int
    name: str
    member: str
    round: int
    actor: str


@event(77, wakes=NOW)
class RunOverridden(Event):
    """It counts otherwise than it ended."""

    run: int
    job: int
    namespace: str
    name: str
    state: str  #: how it ended
    verdict: str  #: as what it counts
    reason: str
    actor: str


@event(52)
class RunHeldLong(Event):
    """A person keeps it back, or a failure that waits for one, for longer than from one tick of its job to
    the next."""

    run: int
    job: int
    namespace: str
    name: str
    task: str  #: that is held; empty: the run as a whole
    since_ms: int
    period_ms: int
