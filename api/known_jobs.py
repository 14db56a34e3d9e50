"""What a run that a person starts needs to know of its job: as it was read, until a commit tells of a change.

Rules: what is kept is what a read of this node would have given when it was made, or since; the machine
decides by name, so a run of a revision that came meanwhile is made and is told as it is. A job that is not
there is looked for each time. Large jobs are not kept, and of others the longest known go first.
"""

from __future__ import annotations

from typing import NamedTuple

from api.ports import Committed
from api.threads import INLINE_BYTES
from scheduler.model.compiled import CompiledJob
from scheduler.model.param_values import Declared
from scheduler.words.events import JobDeleted, JobPut

JOBS_MAX = 2_000


class KnownJob(NamedTuple):
    revision: int
    compiled: CompiledJob
    params: Declared  #: what it says of them


class KnownJobs:
    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], KnownJob] = {}

    def get(self, namespace: str, name: str) -> KnownJob | None:
        return self._kept.get((namespace, name))

    def keep(self, job: KnownJob) -> None:
        compiled = job.compiled
        if compiled.spec_bytes > INLINE_BYTES:  # made beside the loop: a commit may have come meanwhile
            return
        if len(self._kept) >= JOBS_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[compiled.namespace, compiled.name] = job

    def on_commit(self, commit: Committed) -> None:
        for put in commit.of(JobPut):
            self._kept.pop((put.namespace, put.name), None)
        for deleted in commit.of(JobDeleted):
            self._kept.pop((deleted.namespace, deleted.name), None)

    def on_gap(self) -> None:
        self._kept.clear()
