"""What became of attempts."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(9)
class AttemptAssigned(Event):
    attempt: int
    task: int
    run: int
    agent: int
    due_ms: int


@event(10)
class AttemptGranted(Event):
    attempt: int
    run: int
    agent: int
    fence: int


@event(11)
class AttemptRunning(Event):
    attempt: int
    run: int
    agent: int
    started_ms: int


@event(12)
class AttemptCancelling(Event):
    """The agent shall stop it."""

    attempt: int
    run: int
    agent: int


@event(13)
class AttemptUnreachable(Event):
    attempt: int
    run: int
    agent: int


@event(14, wakes=SOON)
class AttemptEnded(Event):
    """state: succeeded | failed | timed_out | cancelled | lost | revoked | unstarted."""

    attempt: int
    task: int
    run: int
    agent: int
    state: str
    exit_code: int | None
