"""Agents for tasks: who matches, who has a free slot, who is least loaded.

Rules of this file:

1. A draining or disconnected agent takes nothing new, nor does one whose node is quiet (it missed some
   heartbeats). Free slots are slots less live attempts less what this plan placed.
2. The least loaded matching agent takes the task (by share of its slots, then by id).
3. A task that runs as a user whom its namespace has withdrawn has no place.
4. Queued tasks come before the tasks of ticks that fire now; where a queue is not emptied, a firing tick's
   task joins it and does not jump it.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable

from scheduler.machine.rules import holdings, selectors, users
from scheduler.machine.rules.selectors import Selector
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables.agents import Agent

Words = tuple[str, str, str, str]
"""What a selector asks about: pool, labels, zone, kinds of work."""


class Places:
    """The free slots as this plan sees and fills them. Agents are read when the first place is asked for."""

    def __init__(self, store: Store, quiet_nodes: Collection[str] = ()) -> None:
        self._store = store
        self._quiet_nodes = quiet_nodes
        self._agents: dict[int, Agent] | None = None
        self._alike: dict[Words, list[Agent]] = {}
        self._busy: dict[int, int] = {}
        self._wanted: dict[str, Selector] = {}  #: by the text; of thousands of runs the same few
        self._heaps: dict[Selector, list[tuple[float, int]]] = {}
        self._free: dict[Selector, int] = {}  #: until somebody takes a place
        self._crowded: set[str] = set()
        self._gone_to: dict[int, int] = {}  #: agents of sticky groups
        self._members: dict[int, dict[int, int]] = {}  #: that agents have of wholes where that is bounded

    def _where(self, selector: str) -> Selector:
        """What it says of agents. Which run and group it is of says nothing of them, nor what it takes."""
        wanted = self._wanted.get(selector)
        if wanted is None:
            wanted = holdings.where(self._store, selector)._replace(locks=(), run=0, group=0, sticky=False)
            self._wanted[selector] = wanted
        return wanted

    def _matching(self, wanted: Selector) -> list[tuple[float, int]]:
        """A heap of (load, agent); loads in it may be out of date, `take` looks again."""
        heap = self._heaps.get(wanted)
        if heap is None:
            if self._agents is None:
                connected = agent_rows.connected(self._store)
                self._agents = {
                    agent.id: agent
                    for agent in connected
                    if not agent.draining and agent.slots > 0 and agent.node not in self._quiet_nodes
                }
                self._busy = {agent.id: agent.busy for agent in connected}
                for agent in self._agents.values():
                    self._alike.setdefault(_words_of(agent), []).append(agent)
            by_name = wanted.asks_name
            allowed = not wanted.user or users.allows(self._store, wanted.namespace, wanted.user)
            heap = [
                (self._busy[agent.id] / agent.slots, agent.id)
                for (pool, labels, zone, kinds), agents in self._among(wanted.agent)
                if allowed
                if selectors.offers(wanted, kinds)
                if selectors.matches(wanted, agent=None, pool=pool, labels=labels, zone=zone, name=None)
                for agent in agents
                if not by_name or _is_named(wanted, agent)
                if self._left(wanted, agent.id)
            ]
            heapq.heapify(heap)
            self._heaps[wanted] = heap
        return heap

    def _left(self, wanted: Selector, agent: int) -> int:
        """How many more such tasks this agent may have."""
        assert self._agents is not None
        left = self._agents[agent].slots - self._busy[agent]
        if not wanted.agent_max:
            return max(0, left)
        has = self._members.get(wanted.whole)
        if has is None:
            has = self._members[wanted.whole] = holdings.members_on(self._store, wanted)
        return max(0, min(left, wanted.agent_max - has.get(agent, 0)))

    def _among(self, only: int) -> Iterable[tuple[Words, list[Agent]]]:
        """Agents that are alike: all, or the one that a task is bound to. Of ten thousand members each looks
        at its own alone."""
        if not only:
            return self._alike.items()
        agent = (self._agents or {}).get(only)
        return [] if agent is None else [(_words_of(agent), [agent])]

    def agent(self, agent: int) -> Agent:
        """One that `take` named."""
        assert self._agents is not None
        return self._agents[agent]

    def free(self, selector: str) -> int:
        """Slots that tasks of this selector could take now."""
        wanted = self._where(selector)
        free = self._free.get(wanted)
        if free is None:
            heap = self._matching(wanted)
            free = sum(self._left(wanted, agent) for _, agent in heap)
            self._free[wanted] = free
        return free

    def take(self, selector: str) -> int:
        """The agent for one more task, its slot counted; 0: none."""
        wanted, group = self._where(selector), selectors.sticky_group(selector)
        if group in self._gone_to:  # by this plan
            wanted = wanted._replace(agent=self._gone_to[group])
        heap = self._matching(wanted)
        assert self._agents is not None
        while heap:
            load, agent = heap[0]
            slots, busy = self._agents[agent].slots, self._busy[agent]
            if not self._left(wanted, agent):
                heapq.heappop(heap)
            elif load != busy / slots:
                heapq.heapreplace(heap, (busy / slots, agent))
            else:
                self._busy[agent] = busy + 1
                if wanted.agent_max:
                    has = self._members[wanted.whole]
                    has[agent] = has.get(agent, 0) + 1
                self._free.clear()
                heapq.heapreplace(heap, ((busy + 1) / slots, agent))
                if group:
                    self._gone_to[group] = agent
                return agent
        return 0

    def take_for_tick(self, selector: str) -> int:
        """As `take`, but 0 while tasks of this selector are left in the queue."""
        return 0 if selector in self._crowded else self.take(selector)

    def leave_queued(self, selector: str) -> None:
        self._crowded.add(selector)


def _words_of(agent: Agent) -> Words:
    return agent.pool, agent.labels, agent.zone, agent.kinds


def _is_named(wanted: selectors.Selector, agent: Agent) -> bool:
    return selectors.matches(
        wanted, agent=agent.id, pool=agent.pool, labels=agent.labels, zone=agent.zone, name=agent.name
    )
