"""What became of ticks."""

from __future__ import annotations

from scheduler.words.record import Event, event


@event(44)
class OverloadBegan(Event):
    """More is due than can be started."""

    late_milliseconds: int  #: how late the tick is that is due longest
    due: int  #: triggers that are due


@event(45)
class OverloadEnded(Event):
    since_ms: int


@event(99)
class GatheringMissed(Event):
    """A trigger waits for several things, and not all of them came in time for this plan date."""

    job: int
    namespace: str
    name: str
    trigger: str  #: its key
    plan_day: int
    lacked: str


@event(6)
class TickDecided(Event):
    """A ledger entry was written (a range where `count` > 1)."""

    seq: int
    job: int
    namespace: str
    name: str
    trigger: int
    cause: str
    cause_key: str  #: empty: of ticks
    first_ms: int
    last_ms: int
    count: int
    outcome: str
    reason: str
    run: int
