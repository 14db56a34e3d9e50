"""Attempts that somebody outside completes (`async`)."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByAgent, ByPerson, command


@command(118)
class CompleteTask(ByPerson):
    """How an attempt ended whose process hands its work on: said by who has the attempt's own token, which
    the proposer has checked, or by a person."""

    run: int
    task: str
    outcome: str  #: succeeded | failed
    message: str = ""
    outputs: bytes = b""  #: for the tasks after it, as a JSON object; empty: nothing
    attempt: int = 0  #: by its token; 0: the newest of the task
    member: str = ""  #: of a task that is divided; empty: the whole
    actor: Actor = NOBODY


@command(119)
class ReportProgress(ByAgent):
    """How far the work of an attempt is, by its own token, which the proposer has checked."""

    run: int
    attempt: int
    percent: int | None  #: 0 to 100
    text: str = ""
