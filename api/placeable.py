"""Whether any agent could take a job's tasks: the API's word for the state `unplaceable`.

An agent counts while it is connected, and for `RECENT_MS` after it went, so that a restart or a failover of
agents does not flicker through every job's state. Slots do not count: a busy agent is a place to wait for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from scheduler.model.compiled import CompiledJob
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.jobs import Job

RECENT_MS = 5 * 60_000


class Places:
    """The agents of one moment, ready to be asked about many jobs."""

    def __init__(self, agents: Sequence[Agent], now_ms: int) -> None:
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

    def job_state(self, row: Job, compiled: CompiledJob) -> str:
        """active | paused | unplaceable."""
        if row.state != "active":
            return row.state
        placed = all(
            self.has_place(task.pool, task.zone, task.labels)
            for task in compiled.tasks
            if task.happens == "agent"
        )
        return "active" if placed else "unplaceable"
