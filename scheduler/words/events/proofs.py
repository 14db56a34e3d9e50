"""What the leader's own look at the ledger has found."""

from __future__ import annotations

from scheduler.words.record import Event, event


@event(120)
class DifferenceFound(Event):
    """The ledger differs from what was due: this is the first place of so many."""

    problems: int
    kind: str  #: missing | doubled | not_due | chain | cause | unreadable
    job: int  #: 0: of no single one
    at_ms: int
    detail: str


@event(121)
class DifferenceGone(Event):
    """A whole look found none any more."""

    since_ms: int
