"""An agent for a run that a person starts, named together with the run: no round of the planner is needed.

Rules: a suggestion only; the machine takes it if the agent can take the task when it applies the command,
else the task is queued. Nothing jumps a queue: where tasks of the same selector wait, none is suggested; that
none waits is known until a commit tells of a task that was queued. Agents and queues are read at most every
REREAD_S otherwise; what was suggested since counts as taken.
"""

from __future__ import annotations

import time

from api.ports import Committed, Scheduler
from scheduler.machine.rules import selectors
from scheduler.model.compiled import CompiledJob
from scheduler.plan.places import Places
from scheduler.store.tables import tasks
from scheduler.store.tables.agents import Agent
from scheduler.words.events import TaskQueued

REREAD_S = 0.05


class HeadStart:
    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._places: Places | None = None
        self._read_s = 0.0
        self._nobody_waits: set[str] = set()  #: by selector, when it was looked at

    def agent_for(self, compiled: CompiledJob) -> Agent | None:
        """The agent for the job's only first task; None: let the planner find one."""
        roots = [task for task in compiled.tasks if not task.needs]
        if len(roots) != 1 or roots[0].happens != "agent":
            return None
        selector = selectors.of_task(roots[0])
        now_s = time.monotonic()
        if self._places is None or now_s - self._read_s > REREAD_S or selector not in self._nobody_waits:
            with self._scheduler.read() as store:
                if tasks.queued(store, selector, 1):
                    return None
                if self._places is None or now_s - self._read_s > REREAD_S:
                    peers = self._scheduler.status().peers
                    self._places = Places(store, {peer.node for peer in peers if not peer.reachable})
                    self._read_s = now_s
                    self._nobody_waits.clear()
                self._nobody_waits.add(selector)
                agent = self._places.take(selector)
        else:
            agent = self._places.take(selector)
        return self._places.agent(agent) if agent else None

    def on_commit(self, commit: Committed) -> None:
        if TaskQueued in commit.kinds:
            self._nobody_waits.clear()

    def on_gap(self) -> None:
        self._places = None
        self._nobody_waits.clear()
