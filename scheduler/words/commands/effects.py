"""Effects: what leaves the cluster. Sent, not sent; sent again or given up by a person."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByRunner, command


@command(70)
class ReportSent(ByRunner):
    """The world outside has it: its row goes. Idempotent."""

    effect: int


@command(71)
class ReportUnsent(ByRunner):
    """A try failed: it is tried again later, or given up. Compare-and-set of the number of tries."""

    effect: int
    attempt: int  #: which try it was, from 1
    reason: str
    is_final: bool = False  #: no later try can succeed
    wait_ms: int = 0  #: the receiver asks for at least this pause


@command(72)
class ResendEffect(ByPerson):
    """Try it again now, also one that was given up: its time begins anew."""

    effect: int
    actor: Actor = NOBODY


@command(73)
class DropEffect(ByPerson):
    """It shall not be sent (again)."""

    effect: int
    actor: Actor = NOBODY
