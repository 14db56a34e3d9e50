"""Attempts: granted, reported, taken back, lost."""

from __future__ import annotations

from scheduler.words.record import ByAgent, ByPlanner, command


@command(22)
class Grant(ByAgent):
    """An agent claims an attempt. Committed and accepted, it is the grant."""

    attempt: int
    agent: int
    session: str
    claim: str


@command(23)
class ReportRunning(ByAgent):
    attempt: int
    agent: int
    started_ms: int


@command(24)
class Finish(ByAgent):
    """What became of a granted attempt, from the agent's journal (of any session).

    `reason`: exit | exists | unmet | timeout | cancelled | start_failed | before_failed | gone | unstarted.
    `gone`: it may have started, and it surely runs no more. `unstarted`: it surely never did. `exists`,
    `unmet`: what it was to make was there before, and nothing was run; or it was run, and that is not there.
    `output_bytes`: where its output ends, of which `tail` holds the last bytes; None: nobody knows.
    `wrote_stderr`: whether something was written there; None: nobody looked.
    """

    attempt: int
    agent: int
    started_ms: int | None
    finished_ms: int
    exit_code: int | None
    reason: str
    signal: int | None = None
    detail: str = ""
    tail: bytes = b""
    output_bytes: int | None = None
    wrote_stderr: bool | None = None
    outputs: bytes = b""  #: what it gives to the tasks after it, as a JSON object; empty: nothing
    outputs_wrong: str = ""  #: why what it wrote for them cannot be read; empty: it can


@command(43)
class Revoke(ByPlanner):
    """Take back an attempt that has no grant; its task is queued again."""

    attempt: int
    reason: str


@command(45)
class MarkUnreachable(ByPlanner):
    """The lease ended under `on_lost: wait`."""

    attempt: int
    since_ms: int = 0  #: as Lose.since_ms


@command(46)
class Lose(ByPlanner):
    """The lease ended under `on_lost: fail | retry`, or an unreachable attempt met its timeout."""

    attempt: int
    reason: str
    since_ms: int = 0  #: the disconnection of its agent that the lease was counted from
