"""Coming ticks that an agent has in advance: reserved, fired, asked back, given back, given up."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByAgent, ByPerson, ByPlanner, command


@command(185)
class Reserve(ByPlanner):
    """Give the next tick of a trigger to an agent in advance, which may start it at its instant without
    hearing from a node again: compare-and-set of the trigger's next_due. Its index is the fence."""

    trigger: int
    expected_due_ms: int
    next_due_ms: int | None
    agent: int
    nominal_ms: int | None = None  #: as Fire.nominal_ms


@command(186)
class FireReserved(ByPlanner):
    """The instant of a reserved tick has come, and its agent is connected: the gates are asked as of any
    tick. What they do not let run is asked back."""

    attempt: int


@command(187)
class AskBack(ByPlanner):
    """What an agent has reserved of a job is to be given back: what it has not started."""

    job: int
    agent: int


@command(188)
class GiveBack(ByAgent):
    """These reserved attempts never started, and never will: their agent forgot them before it said so.

    `reason`: empty, or overlap: the attempt `behind` was in the way, which it had started before."""

    agent: int
    attempts: tuple[int, ...]
    reason: str = ""
    behind: int = 0


@command(189)
class Unreserve(ByPerson):
    """All that is reserved of a job is asked back, and no more is reserved for a while: an edit follows."""

    namespace: str
    name: str
    actor: Actor = NOBODY


@command(190)
class GiveUpReserved(ByPerson):
    """The agent that has a job's ticks is gone for good, a person says: what was due may have run, and is
    lost; what is to come goes its usual way."""

    namespace: str
    name: str
    actor: Actor = NOBODY
