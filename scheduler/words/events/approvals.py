"""What tasks ask persons, and what these say."""

from __future__ import annotations

from scheduler.words.record import NOW, SOON, Event, event


@event(88, wakes=SOON)
class ApprovalAsked(Event):
    """A task waits for the answer of a person."""

    task: int
    run: int
    namespace: str
    job: str
    name: str  #: of the task
    round: int
    until_ms: int


@event(89, wakes=NOW)
class ApprovalAnswered(Event):
    """Somebody gave it."""

    task: int
    run: int
    namespace: str
    job: str
    name: str  #: of the task
    round: int
    answer: str  #: approved | rejected
    actor: str
    reason: str
