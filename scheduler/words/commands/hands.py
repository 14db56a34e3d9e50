"""Hands on a live run: what a person does to one that is there."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, command


@command(121)
class SuspendRun(ByPerson):
    """Nothing more of the run starts; what an agent has goes on. One that is suspended gets this reason."""

    run: int
    reason: str = ""
    actor: Actor = NOBODY


@command(122)
class ResumeRun(ByPerson):
    """A suspended run goes on where it was."""

    run: int
    reason: str = ""
    actor: Actor = NOBODY


@command(123)
class ReleaseRun(ByPerson):
    """A run that was made to be held may start; one that waits behind others of its job does not wait for
    them any more."""

    run: int
    reason: str = ""
    actor: Actor = NOBODY


@command(124)
class HoldTask(ByPerson):
    """A breakpoint: a task that has not started does not, until it is released."""

    run: int
    task: str
    reason: str = ""
    actor: Actor = NOBODY
    member: str = ""  #: of a task that is divided; empty: the whole


@command(125)
class ReleaseTask(ByPerson):
    """A held task goes on; one that is held since it failed ends so."""

    run: int
    task: str
    reason: str = ""
    actor: Actor = NOBODY
    member: str = ""  #: of a task that is divided; empty: the whole


@command(126)
class SkipTask(ByPerson):
    """A task that has not started ends as skipped."""

    run: int
    task: str
    reason: str = ""
    passes: bool = False  #: for the tasks that need it it counts as one that succeeded
    actor: Actor = NOBODY
    member: str = ""  #: of a task that is divided; empty: the whole


@command(127)
class RetryTask(ByPerson):
    """A task that waits for its next try, or is held since it failed, is tried now."""

    run: int
    task: str
    reason: str = ""
    actor: Actor = NOBODY
    member: str = ""  #: of a task that is divided; empty: the whole


@command(128)
class StopTask(ByPerson):
    """The attempt of a task is stopped; the run goes on by its rules."""

    run: int
    task: str
    reason: str = ""
    actor: Actor = NOBODY
    member: str = ""  #: of a task that is divided; empty: the whole


@command(129)
class OverrideRun(ByPerson):
    """A verdict over a run that has ended: how it counts for whatever asks. Its own state stays as it is."""

    run: int
    verdict: str  #: succeeded | failed
    reason: str
    actor: Actor = NOBODY


@command(151)
class TellHeld(ByPlanner):
    """A run, or a task of it, is held longer than its job's period: that is told, once."""

    run: int
    task: int  #: 0: the run as a whole
    long_ms: int  #: since when it is
