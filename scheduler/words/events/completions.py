"""What became of attempts that somebody outside completes."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(90, wakes=SOON)
class AttemptAwaiting(Event):
    """Its process ended well, and its slot is free. Somebody outside says how it ends, until then."""

    attempt: int
    task: int
    run: int
    agent: int
    until_ms: int


@event(91)
class AttemptCompleted(Event):
    """Somebody outside said how it ends. Where its process goes on, it ends so with that."""

    attempt: int
    task: int
    run: int
    namespace: str
    job: str
    name: str  #: of the task
    member: str
    outcome: str  #: succeeded | failed
    actor: str  #: empty: by the attempt's own token


@event(92)
class AttemptProgressed(Event):
    """How far its work is, as it says itself."""

    attempt: int
    task: int
    run: int
    percent: int | None
    text: str
