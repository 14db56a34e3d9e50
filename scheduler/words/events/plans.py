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
