"""An agent for a run that a person starts, named together with the run: no round of the planner is needed.

Rules: a suggestion only; the machine takes it if the agent can take the task when it applies the command,
else the task is queued. Nothing jumps a queue: where tasks of the same selector wait, none is suggested; that
none waits is known until a commit tells of a task that was queued. Agents are read again when one or a node
comes or goes, else every REREAD_S, or FULL_REREAD_S once no place was left; what was suggested since counts
as taken.
"""

from __future__ import annotations

import time

from api.placeable import PLACES_CHANGE
from api.ports import Committed, NodeStatus, Scheduler
from scheduler.machine.rules import selectors
from scheduler.model.compiled import CompiledJob
from scheduler.plan.places import Places
from scheduler.store.tables import tasks
from scheduler.store.tables.agents import Agent
from scheduler.words.events import TaskQueued

REREAD_S = 0.25
FULL_REREAD_S = 0.05


class HeadStart:
    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._status: NodeStatus | None = None  #: as it was looked at
        self._quiet: set[str] = set()  #: nodes that did not answer then
        self._places: Places | None = None
        self._read_s = 0.0
        self._is_full = False  #: somebody found no place
        self._nobody_waits: set[str] = set()  #: by selector, when it was looked at

    def agent_for(self, compiled: CompiledJob) -> Agent | None:
        """The agent for the job's only first task; None: let the planner find one."""
        first = compiled.placed_early
        if first is None:
            return None
        selector = selectors.of_task(first, compiled.namespace)
        places = self._places_for(selector)
        agent = 0 if places is None else places.take(selector)
        if places is None or not agent:
            self._is_full = True
            return None
        return places.agent(agent)

    def _places_for(self, selector: str) -> Places | None:
        """None: tasks wait there already."""
        self._look_at_peers()
        now_s = time.monotonic()
        reread_s = FULL_REREAD_S if self._is_full else REREAD_S
        places = self._places if now_s - self._read_s <= reread_s else None
        if places is not None and selector in self._nobody_waits:
            return places
        with self._scheduler.read() as store:
            if tasks.queued(store, selector, 1):
                return None
        if places is None:
            places = self._places = Places(self._scheduler.reader(), self._quiet)
            self._read_s = now_s
            self._is_full = False
            self._nobody_waits.clear()
        self._nobody_waits.add(selector)
        return places

    def _look_at_peers(self) -> None:
        status = self._scheduler.status()
        if status is not self._status:
            self._status = status
            quiet = {peer.node for peer in status.peers if not peer.reachable}
            if quiet != self._quiet:
                self._quiet, self._places = quiet, None

    def on_commit(self, commit: Committed) -> None:
        if TaskQueued in commit.kinds:
            self._nobody_waits.clear()
        if not PLACES_CHANGE.isdisjoint(commit.kinds):
            self._places = None

    def on_gap(self) -> None:
        self._places = None
