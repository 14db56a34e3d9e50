"""Jobs and triggers as their proposer prepared them, for PutJobs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TriggerSeed:
    """One trigger of a job as the proposer prepared it."""

    key: str  #: the trigger's id within its job: given, or a hash of its schedule fields
    spec: bytes  #: canonical JSON, self-contained: `scheduler.ticks.schedule(spec)` needs no more
    first_due_ms: int | None  #: first unjittered instant after `after_ms`; None: nothing comes
    jitter_ms: int  #: constant offset that is added to each instant
    per_day: int = 0  #: instants of a day on which it is due (`scheduler.ticks`)


@dataclass(frozen=True, slots=True)
class JobSeed:
    """One job as the proposer prepared it."""

    namespace: str
    name: str
    spec: bytes  #: canonical JSON of the whole job, all defaults filled in
    triggers: tuple[TriggerSeed, ...]
    if_revision: int | None = None  #: refuse unless the job's revision is this; 0: must not exist
