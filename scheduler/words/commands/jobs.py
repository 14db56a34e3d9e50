"""Jobs: put, deleted, paused."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByPerson, ByPlanner, Keyed, Record, command, part


@part
class PreparedTrigger(Record):
    """One trigger of a job as the proposer prepared it."""

    key: str  #: the trigger's id within its job: given, or a hash of its schedule fields
    spec: bytes  #: canonical JSON, self-contained: `scheduler.ticks.schedule(spec)` needs no more
    first_due_ms: int | None  #: first unjittered instant after `after_ms`; None: nothing comes
    jitter_ms: int  #: constant offset that is added to each instant, a delay and the jitter
    per_day: int = 0  #: instants of a day on which it is due (`scheduler.ticks`)


@part
class PreparedJob(Record):
    """One job as the proposer prepared it."""

    namespace: str
    name: str
    spec: bytes  #: canonical JSON of the job, without what goes without saying
    triggers: tuple[PreparedTrigger, ...]
    if_revision: int | None = None  #: refuse unless the job's revision is this; 0: must not exist
    refers: tuple[tuple[str, str, str], ...] = ()  #: to which objects: (kind, namespace, name), each once
    defaults: int = 0  #: revision of its namespace whose defaults it took; 0: there were none
    schedules: tuple[tuple[str, str, str], ...] = ()  #: it has triggers of: namespace, name, pin in force
    template: tuple[str, str, str] | None = None  #: that it extends, with the pin of what it took


@command(1, grows=True, edits=True)
class PutJobs(ByPerson, Keyed):
    """Create or change jobs, all or none. At most 1,000 of them."""

    jobs: tuple[PreparedJob, ...]
    after_ms: int  #: new triggers count ticks after this instant (the proposer's clock)
    actor: Actor = NOBODY
    key: str = ""  #: Idempotency-Key; empty: none
    body: bytes = b""  #: hash of the request that used the key
    source: str = ""  #: where the jobs came from; empty: the API


@command(2, edits=True)
class DeleteJob(ByPerson, Keyed):
    namespace: str
    name: str
    if_revision: int | None = None
    actor: Actor = NOBODY
    key: str = ""
    body: bytes = b""


@command(3)
class PauseJob(ByPerson):
    """A pause that stands gets this reason and end."""

    namespace: str
    name: str
    actor: Actor = NOBODY
    reason: str = ""
    until_ms: int | None = None  #: when it ends by itself


@command(141)
class EndJobPause(ByPlanner):
    """Its time is over: compare-and-set of its end."""

    job: int
    until_ms: int


@command(4)
class ResumeJob(ByPerson):
    namespace: str
    name: str
    actor: Actor = NOBODY
