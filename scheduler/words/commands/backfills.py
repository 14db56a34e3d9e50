"""Backfill: a job's runs for instants that are past."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, Keyed, command


@command(146, grows=True)
class StartBackfill(ByPerson, Keyed):
    """Make a run of each past instant of a trigger in (from_ms, to_ms], the oldest first, so many at a
    time."""

    namespace: str
    name: str
    trigger: str  #: its key
    from_ms: int
    to_ms: int
    instants: int  #: that its schedule has there, as the proposer counted them
    active_max: int  #: of its runs, at a time
    missing_only: bool = False  #: but of none that has a run which succeeded
    again: bool = False  #: also of those that a backfill has made good
    closed: bool = False  #: also for plan dates that are closed
    first_day: int | None = None  #: with the next: of these instants those of plan dates from this one on…
    last_day: int | None = None  #: …up to this one, wherever a calendar moved them
    params: bytes = b""  #: canonical JSON object, all of them; empty: those of the trigger
    reason: str = ""
    actor: Actor = NOBODY
    key: str = ""
    body: bytes = b""


@command(147)
class AdvanceBackfill(ByPlanner):
    """Go on with it: compare-and-set of the instant that it has come to."""

    backfill: int
    at_ms: int


@command(148)
class CancelBackfill(ByPerson):
    """No more runs are made of it; those that were go on, or are cancelled too."""

    backfill: int
    runs: bool = False  #: cancel those that go on
    actor: Actor = NOBODY
