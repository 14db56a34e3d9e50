"""Whether any agent could take a job's tasks: the API's word for the state `unplaceable`.

An agent counts while it is connected, and for `RECENT_MS` after it went, so that a restart or a failover of
agents does not flicker through every job's state. Slots do not count: a busy agent is a place to wait for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from api.near import near_miss
from scheduler.machine.rules import selectors
from scheduler.machine.rules.selectors import Selector
from scheduler.model.compiled import CompiledJob
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.jobs import Job
from scheduler.words.events import AgentConnected, AgentDisconnected, AgentDrained, AgentResumed

RECENT_MS = 5 * 60_000
PLACES_CHANGE = frozenset({AgentConnected, AgentDisconnected, AgentDrained, AgentResumed})
"""Whoever keeps the agents as they were has to look again."""


class Places:
    """The agents of one moment, ready to be asked about many jobs."""

    def __init__(self, agents: Sequence[Agent], now_ms: int) -> None:
        self._agents = [
            (row.pool, row.zone, row.labels or "{}", row.kinds, row.name)
            for row in agents
            if not row.draining and (row.node or now_ms - (row.disconnected_ms or 0) <= RECENT_MS)
        ]
        self._known: dict[Selector, str] = {}

    def lacks(self, wanted: Selector) -> str:
        """Why no agent could take such a task; empty: one could."""
        said = self._known.get(wanted)
        if said is None:
            meant = [
                (name, kinds)
                for pool, zone, labels, kinds, name in self._agents
                if selectors.matches(wanted, agent=None, pool=pool, labels=labels, zone=zone, name=name)
            ]
            if not meant:
                said = f"no agent is connected for {selectors.words(wanted)}{self._near(wanted.pool)}"
            elif not any(selectors.offers(wanted, kinds) for _, kinds in meant):
                none = f"no agent with {selectors.words(wanted)} offers work of kind {wanted.kind}"
                said = selectors.unknown(wanted, meant) or none
            else:
                said = ""
            self._known[wanted] = said
        return said

    def _near(self, pool: str) -> str:
        pools = {known for known, *_ in self._agents}
        near = "" if pool in pools else near_miss(pool, sorted(pools))
        return f": {near}" if near else ""

    def job_state(self, row: Job, compiled: CompiledJob) -> tuple[str, str]:
        """active | paused | disabled | unplaceable; and of the last, why."""
        if row.state != "active" or not compiled.enabled:
            return (row.state if row.state != "active" else "disabled"), ""
        return self.state_of(
            selectors.of_one(task)
            for task in compiled.tasks
            if task.happens == "agent"
        )

    def state_of(self, tasks: Iterable[Selector]) -> tuple[str, str]:
        """Of a job that nobody paused: by what its tasks ask for."""
        said = next(filter(None, map(self.lacks, tasks)), "")
        return ("unplaceable" if said else "active"), said
