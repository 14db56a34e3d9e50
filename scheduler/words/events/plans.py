"""Which plan dates were closed and opened."""

from __future__ import annotations

from scheduler.words.record import Event, event


@event(108)
class PlanClosed(Event):
    """Nothing more fires for it."""

    namespace: str
    day: int
    reason: str
    actor: str


@event(109)
class PlanOpened(Event):
    namespace: str
    day: int
    actor: str


@event(66)
class PlanDatesClosed(Event):
    """All up to this one are closed by themselves, but those that a person opened."""

    namespace: str
    day: int
