"""Objects that jobs refer to, and the one act in which they and jobs are put and deleted."""

from __future__ import annotations

from scheduler.words.commands.jobs import PreparedJob
from scheduler.words.record import NOBODY, Actor, ByPerson, Keyed, Record, command, part


@part
class PreparedObject(Record):
    """One object as the proposer prepared it. The machine stores it, and knows no kind."""

    kind: str
    namespace: str
    name: str
    spec: bytes  #: canonical JSON, all defaults filled in, with what was computed of it
    labels: str = "{}"  #: canonical JSON
    refers: tuple[tuple[str, str, str], ...] = ()  #: (kind, namespace, name), each once
    if_revision: int | None = None  #: refuse unless the object's revision is this; 0: must not exist
    pin: str = ""  #: of what triggers hold of it, such as a calendar's dates; empty: nothing
    per_day: int = 0  #: instants of a day for which each job that names it asks by its own triggers


@part
class Deletion(Record):
    """One job or object that is to be no more."""

    kind: str  #: `job`, or an object's
    namespace: str
    name: str
    if_revision: int | None = None


@command(80, grows=True, edits=True)
class Apply(ByPerson, Keyed):
    """Put and delete objects and jobs together, all or none. At most 1,000 of them."""

    objects: tuple[PreparedObject, ...]
    jobs: tuple[PreparedJob, ...]
    deletions: tuple[Deletion, ...]
    after_ms: int  #: new triggers count ticks after this instant (the proposer's clock)
    actor: Actor = NOBODY
    key: str = ""  #: Idempotency-Key; empty: none
    body: bytes = b""  #: hash of the request that used the key
    source: str = ""  #: where they came from; empty: the API
