"""What people say of single ticks to come."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, command


@command(154)
class ChangeTick(ByPerson):
    """One coming tick is held, released, skipped, moved or given parameters: its plan date and its identity
    stay."""

    namespace: str
    name: str
    trigger: str  #: its key
    at_ms: int  #: nominal: which tick
    act: str  #: hold | release | skip | move | give
    reason: str = ""
    to_ms: int | None = None  #: move: when it is due instead
    params: bytes = b""  #: give: canonical JSON object, all of them
    actor: Actor = NOBODY


@command(155)
class FireChanged(ByPlanner):
    """A tick that its trigger has left behind, since a person held or moved it, is due by what he said:
    compare-and-set of that instant."""

    job: int
    trigger: str
    at_ms: int
    fire_ms: int
