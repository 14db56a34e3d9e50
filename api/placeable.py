"""Whether any agent could take a job's tasks: the API's word for the state `unplaceable`.

An agent counts while it is connected, and for `RECENT_MS` after it went, so that a restart or a failover of
agents does not flicker through every job's state. Slots do not count: a busy agent is a place to wait for.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence

from scheduler.model.compiled import WEIGHT_MAX, CompiledJob, compile_job
from scheduler.store.pages import AgentRow, JobRow

RECENT_MS = 5 * 60_000
COMPILED_MAX = 20_000


class Places:
    """The agents of one moment, ready to be asked about many jobs."""

    def __init__(self, agents: Sequence[AgentRow], now_ms: int) -> None:
        self._agents = [
            (row.pool, row.zone, frozenset(json.loads(row.labels or "{}").items()))
            for row in agents
            if not row.draining and (row.node or now_ms - (row.disconnected_ms or 0) <= RECENT_MS)
        ]
        self._known: dict[tuple[object, ...], bool] = {}

    def has_place(self, pool: str, zone: str | None, labels: tuple[tuple[str, str], ...]) -> bool:
        """Whether an agent matches. `labels` sorted; `zone` None: any."""
        question = (pool, zone, labels)
        answer = self._known.get(question)
        if answer is None:
            answer = self._known[question] = any(
                pool == in_pool and zone in (None, in_zone) and having.issuperset(labels)
                for in_pool, in_zone, having in self._agents
            )
        return answer

    def job_state(self, row: JobRow, compiled: CompiledJob) -> str:
        """active | paused | unplaceable."""
        if row.state != "active":
            return row.state
        placed = all(self.has_place(task.pool, task.zone, task.labels) for task in compiled.tasks)
        return "active" if placed else "unplaceable"


class CompiledJobs:
    """Compiled jobs by (job, revision): a revision never changes, so an entry is right for ever. Used by the
    loop and by reading threads."""

    def __init__(self, limit: int = COMPILED_MAX) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[int, int], CompiledJob] = OrderedDict()
        self._weight = 0  #: of what is kept
        self._lock = threading.Lock()

    def get(self, job: int, revision: int, spec: bytes) -> CompiledJob:
        found = self.peek(job, revision)
        if found is None:
            found = compile_job(spec)
            with self._lock:
                if (job, revision) not in self._kept:
                    self._weight += found.weight
                self._kept[job, revision] = found
                while len(self._kept) > 1 and (len(self._kept) > self._limit or self._weight > WEIGHT_MAX):
                    self._weight -= self._kept.popitem(last=False)[1].weight
        return found

    def peek(self, job: int, revision: int) -> CompiledJob | None:
        with self._lock:
            found = self._kept.get((job, revision))
            if found is not None:
                self._kept.move_to_end((job, revision))
        return found
