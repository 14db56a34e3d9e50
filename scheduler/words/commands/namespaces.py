"""What administrators say of a namespace."""

from __future__ import annotations

from scheduler.words.commands.jobs import PreparedJob
from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, Keyed, command


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
    defaults: bytes = b""  #: for its jobs, canonical JSON; empty: none
    users: tuple[str, ...] = ()  #: that its tasks may run as; empty: any
    before: str = ""  #: lines for a shell that run around each attempt
    after: str = ""
    plan_tz: str = ""  #: the zone of its plan dates; empty: UTC
    plan_begin: str = ""
    plan_rules: str = ""  #: pin of the rules by which `plan_days` were found; empty: of no zone
    close_after_ms: int | None = None  #: so long after its end a plan date closes by itself; None: never


@command(97, edits=True)
class DeleteNamespace(ByPerson):
    """Nothing is said of it any more. Only while nothing is in it."""

    name: str
    if_revision: int | None = None
    actor: Actor = NOBODY


@command(99, grows=True, edits=True)
class ReviseJobs(ByPlanner):
    """The defaults of a namespace have changed: its next jobs, by name, become what they are under them."""

    namespace: str
    defaults: int  #: the revision that set them
    jobs: tuple[PreparedJob, ...]  #: that change, with the revision that they were read at
    through: str  #: the last one that was looked at
    done: bool  #: there are no more
    late: int  #: how many had come late when it looked (`store.tables.namespaces`)
