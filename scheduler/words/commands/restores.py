"""After a restore: what agents tell of the time before, and how the hold ends."""

from __future__ import annotations

from scheduler.words.record import ByAgent, ByPlanner, Record, command, part


@part
class RanAttempt(Record):
    """An attempt of the time before a restore, from its agent's journal. What ran on is `ended` False."""

    attempt: int
    run: int
    namespace: str
    job: str
    task: str
    member: str
    round: int
    number: int
    tick_ms: int | None
    due_ms: int
    ended: bool
    started_ms: int | None
    finished_ms: int
    exit_code: int | None
    reason: str  #: as Finish.reason
    signal: int | None = None
    detail: str = ""
    wrote_stderr: bool | None = None


@command(25)
class Adopt(ByAgent):
    """An agent of the cluster that was restored tells what it ran, before it registers. At most 100 at once;
    `last`: that was all, and what is not told to run on does not."""

    restore: int
    installation: str
    name: str
    zone: str
    pool: str
    attempts: tuple[RanAttempt, ...]
    last: bool
    running: tuple[int, ...] = ()  #: with `last`: every attempt that may still run there


@command(53)
class EndHold(ByPlanner):
    """The agents had their time to tell: decide what nobody told of."""

    restore: int


@command(54)
class GiveUpRun(ByPlanner):
    """What of a run from before the restore was about to start may have run already: it does not start."""

    restore: int
    run: int


@command(55)
class EndRestore(ByPlanner):
    """All that the restore had held up is decided."""

    restore: int
