"""What jobs are expected to do: whether it holds."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByAgent, ByPerson, ByPlanner, command


@command(113)
class JudgeWatch(ByPlanner):
    """The time of something has come that a run was to have done."""

    run: int


@command(114)
class JudgePeriod(ByPlanner):
    """A period is over in which runs of a job were to succeed: compare-and-set of its end."""

    job: int
    until_ms: int


@command(115)
class ReportSilence(ByAgent):
    """An attempt has written nothing since that instant, for longer than it was to; or writes again."""

    attempt: int
    agent: int
    since_ms: int  #: by the agent's clock, which tells one silence from the next
    silent: bool


@command(116)
class Acknowledge(ByPerson):
    """A person has seen what does not hold, and until when nobody needs to be told of it again."""

    unmet: int
    until_ms: int
    reason: str = ""
    actor: Actor = NOBODY
