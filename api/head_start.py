"""An agent for a run that a person starts, named together with the run: no round of the planner is needed.

Rules: a suggestion only; the machine takes it if the agent can take the task when it applies the command,
else the task is queued. Nothing jumps a queue: where tasks of the same selector wait, none is suggested.
Agents are read at most every REREAD_S; what was suggested since counts as taken.
"""

from __future__ import annotations

import time

from api.ports import NodeStatus
from scheduler.machine.rules import selectors
from scheduler.model.compiled import CompiledJob
from scheduler.plan.places import Places
from scheduler.store.connection import Store
from scheduler.store.tables import tasks
from scheduler.store.tables.agents import Agent

REREAD_S = 0.05


class HeadStart:
    def __init__(self) -> None:
        self._places: Places | None = None
        self._read_s = 0.0

    def agent_for(self, store: Store, compiled: CompiledJob, status: NodeStatus) -> Agent | None:
        """The agent for the job's only first task; None: let the planner find one."""
        roots = [task for task in compiled.tasks if not task.needs]
        if len(roots) != 1 or roots[0].happens != "agent":
            return None
        selector = selectors.of_task(roots[0])
        if tasks.queued(store, selector, 1):
            return None
        now_s = time.monotonic()
        if self._places is None or now_s - self._read_s > REREAD_S:
            self._places = Places(store, {peer.node for peer in status.peers if not peer.reachable})
            self._read_s = now_s
        agent = self._places.take(selector)
        return self._places.agent(agent) if agent else None
