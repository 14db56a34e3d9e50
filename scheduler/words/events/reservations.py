"""What became of ticks that an agent had in advance."""

from __future__ import annotations

from scheduler.words.record import NOW, SOON, Event, event


@event(135)
class TickReserved(Event):
    """An agent has it from now on."""

    attempt: int  #: as which it starts there
    job: int
    namespace: str
    name: str
    trigger: int
    at_ms: int
    due_ms: int
    agent: int


@event(136, wakes=SOON)
class ReservedAskedBack(Event):
    """Its agent is to say whether it has started these."""

    job: int
    namespace: str
    name: str
    agent: int
    ticks: int
    reason: str


@event(137, wakes=NOW)
class ReservedGivenBack(Event):
    """Its agent never starts it, or a person says that it is no more: it goes its usual way."""

    attempt: int
    job: int
    namespace: str
    name: str
    trigger: int
    at_ms: int
    agent: int
    reason: str
