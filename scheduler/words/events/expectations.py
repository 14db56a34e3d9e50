"""What was expected, and did not hold."""

from __future__ import annotations

from scheduler.words.record import Event, event


@event(100)
class ExpectationUnmet(Event):
    unmet: int
    job: int
    namespace: str
    name: str
    run: int  #: 0: it is of the job
    what: str  #: model.expected.WORDS
    limit_ms: int
    found: int  #: too_few: runs that succeeded; of forecasts and durations: milliseconds
    wanted: int


@event(101)
class ExpectationMet(Event):
    """It holds again, or nobody waits for it any more."""

    unmet: int
    job: int
    namespace: str
    name: str
    run: int
    what: str


@event(102)
class ExpectationAcknowledged(Event):
    unmet: int
    job: int
    namespace: str
    name: str
    run: int
    what: str
    until_ms: int
    actor: str
    reason: str
