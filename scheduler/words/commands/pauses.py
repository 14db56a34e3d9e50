"""Everything is paused, or all of one namespace, and goes on again."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, command


@command(15)
class Pause(ByPerson):
    """Nothing new starts of any job (of those of one namespace). A pause that stands gets this reason and
    end."""

    namespace: str  #: empty: of all
    reason: str
    until_ms: int | None = None  #: when it ends by itself
    actor: Actor = NOBODY


@command(16)
class Resume(ByPerson):
    """What waits goes on. What came due meanwhile was skipped, and stays so."""

    namespace: str
    actor: Actor = NOBODY


@command(58)
class EndPause(ByPlanner):
    """Its time is over."""

    namespace: str
    since_ms: int
