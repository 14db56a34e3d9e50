"""Effects: what leaves the cluster. Sent, not sent; told together or to others; seen, muted, sent again or
given up by a person."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, ByRunner, command


@command(70)
class ReportSent(ByRunner):
    """The world outside has it. Idempotent."""

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


@command(222)
class AcknowledgeEffect(ByPerson):
    """Somebody saw what it tells of: nobody else is told of that by escalation. `until_ms`: nor is anybody of
    the same of that job until then; None: of the next one all are."""

    effect: int
    until_ms: int | None = None
    reason: str = ""
    actor: Actor = NOBODY


@command(220)
class Mute(ByPerson):
    """Until then nobody is told. An empty field means all."""

    namespace: str
    job: str
    about: str
    until_ms: int
    reason: str = ""
    actor: Actor = NOBODY


@command(221)
class Unmute(ByPerson):
    mute: int
    actor: Actor = NOBODY


@command(223)
class TellTogether(ByPlanner):
    """The time has come of what was gathered: compare-and-set of the oldest of it."""

    effect: int


@command(224)
class Escalate(ByPlanner):
    """Nobody said that they saw it: others are told."""

    effect: int


@command(225)
class TellChannel(ByPerson):
    """Something that nobody waited for: a person wants a channel told. `facts`: as JSON."""

    namespace: str
    channel: str
    about: str  #: test | report
    facts: bytes
    actor: Actor = NOBODY
