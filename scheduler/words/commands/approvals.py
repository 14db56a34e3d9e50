"""What a person answers a task that asks."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, command

NEWEST = -1


@command(134)
class AnswerApproval(ByPerson):
    """A task that waits for it goes on as it says."""

    run: int
    task: str
    answer: str  #: approved | rejected
    reason: str = ""
    round: int = NEWEST  #: of a task in a group: the one that it is for
    actor: Actor = NOBODY
