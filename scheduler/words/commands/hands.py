"""Hands on a live run: what a person does to one that is there."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, command


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
