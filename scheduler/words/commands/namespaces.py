"""What administrators say of a namespace."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, Keyed, command


@command(96, grows=True, edits=True)
class PutNamespace(ByPerson, Keyed):
    """Declare it, or change what was said of it."""

    name: str
    spec: bytes  #: canonical JSON, all defaults filled in
    pools: tuple[str, ...] = ()  #: that its jobs may use; empty: any
    jobs_max: int | None = None
    if_revision: int | None = None  #: refuse unless its revision is this; 0: must not be declared
    actor: Actor = NOBODY
    key: str = ""  #: Idempotency-Key; empty: none
    body: bytes = b""  #: hash of the request that used the key
    active_max: int | None = None  #: runs that may be active at once
    starts_max: int | None = None  #: and begin within a minute
    plan_days: tuple[tuple[int, int], ...] = ()  #: how its plan dates begin (`ticks.plan_days`)


@command(97, edits=True)
class DeleteNamespace(ByPerson):
    """Nothing is said of it any more. Only while nothing is in it."""

    name: str
    if_revision: int | None = None
    actor: Actor = NOBODY
