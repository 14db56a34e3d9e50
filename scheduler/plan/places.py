"""Agents for tasks: who matches, who has a free slot, who is least loaded.

Rules of this file:

1. A draining or disconnected agent takes nothing new, nor does one whose node is quiet (it missed some
   heartbeats). Free slots are slots less live attempts less what this plan placed.
2. The least loaded matching agent takes the task (by share of its slots, then by id). Where its selector
   has an order of its own (`on: {zone, strategy}`), that comes first, and all that match are looked at.
3. A task that runs as a user whom its namespace has withdrawn has no place.
4. Queued tasks come before the tasks of ticks that fire now; where a queue is not emptied, a firing tick's
   task joins it and does not jump it.
5. Agents are read in the order of their load, as far as somebody asks: a plan of few tasks costs the same
   among ten thousand of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass, field

from scheduler.machine.rules import holdings, selectors, users
from scheduler.machine.rules.selectors import Selector
from scheduler.model.ordering import PREFER, SPREAD
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables.agents import Agent

PAGE, PAGE_MAX = 64, 2_048
TURNS_MAX = 1_000
ROUND_ROBIN = "round_robin"
PRIORITY, PRIORITY_LAST = "priority", 1 << 62
"""The label that puts agents in order (strategy: fixed_priority), and one's place that has none."""

Words = tuple[str, str, str, str]
"""What a selector asks about: pool, labels, zone, kinds of work."""


class _Pool:
    """Its agents with a free slot, by their load when they were read, as far as they were."""

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._found: list[tuple[float, Agent]] = []
        self._page = PAGE
        self._is_read = False

    def at(self, place: int) -> tuple[float, Agent] | None:
        """None: there are not so many."""
        while place >= len(self._found) and not self._is_read:
            load, last = self._found[-1] if self._found else (-1.0, None)
            after = (load, 0 if last is None else last.id)
            more = agent_rows.least_loaded(self._store, self._name, after, self._page)
            self._is_read = len(more) < self._page
            self._page = min(PAGE_MAX, 2 * self._page)
            self._found += ((agent.busy / agent.slots, agent) for agent in more)
        return self._found[place] if place < len(self._found) else None


@dataclass(slots=True)
class _Near:
    """Those that one kind of task may go to."""

    heap: list[tuple[float, int]] = field(default_factory=list)
    """Of those that were looked at: load, which may be out of date (`take` looks again), and id."""
    looked: dict[str, int] = field(default_factory=dict)  #: of each pool so many were


class Places:
    """The free slots as this plan sees and fills them. Agents are read when a place is asked for."""

    def __init__(
        self, store: Store, quiet_nodes: Collection[str] = (), turns: dict[Selector, int] | None = None
    ) -> None:
        """`turns`: of the plans before, which agent had the last one."""
        self._turns = {} if turns is None else turns
        self._by_zone: dict[Selector, dict[str, int]] = {}  #: attempts on agents that fit
        self._store = store
        self._quiet_nodes = quiet_nodes
        self._agents: dict[int, Agent] = {}  #: that were looked at
        self._busy: dict[int, int] = {}
        self._pools: dict[str, _Pool] = {}
        self._pool_names: list[str] | None = None
        self._fit: dict[tuple[Selector, Words], bool] = {}
        self._wanted: dict[str, Selector] = {}  #: by the text; of thousands of runs the same few
        self._near: dict[Selector, _Near] = {}
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

    def _near_to(self, wanted: Selector) -> _Near:
        found = self._near.get(wanted)
        if found is None:
            found = self._near[wanted] = _Near()
            allowed = not wanted.user or users.allows(self._store, wanted.namespace, wanted.user)
            if allowed and not wanted.agent:
                found.looked = dict.fromkeys([wanted.pool] if wanted.pool else self._all_pools(), 0)
            elif allowed:  # of ten thousand members each looks at its own alone
                agent = agent_rows.get(self._store, wanted.agent)
                if agent is not None and agent.node and not agent.draining:
                    self._look_at(found, wanted, agent)
        return found

    def _all_pools(self) -> list[str]:
        if self._pool_names is None:
            self._pool_names = agent_rows.pools(self._store)
        return self._pool_names

    def _next(self, near: _Near) -> tuple[float, int, str, Agent] | None:
        """The least loaded that was not looked at, with its pool; None: all were. Its load may have grown."""
        first = None
        for name, place in near.looked.items():
            pool = self._pools.get(name)
            if pool is None:
                pool = self._pools[name] = _Pool(self._store, name)
            found = pool.at(place)
            if found is not None and (first is None or (found[0], found[1].id) < first[:2]):
                first = (found[0], found[1].id, name, found[1])
        return first

    def _look_at(self, near: _Near, wanted: Selector, agent: Agent) -> int:
        """It is one of those, if it has a place for such a task: then its id."""
        if agent.node in self._quiet_nodes or not agent.slots:
            return 0
        self._agents.setdefault(agent.id, agent)
        busy = self._busy.setdefault(agent.id, agent.busy)
        words = agent.pool, agent.labels, agent.zone, agent.kinds
        fits = self._fit.get((wanted, words))
        if fits is None:
            pool, labels, zone, kinds = words
            fits = self._fit[wanted, words] = selectors.offers(wanted, kinds) and selectors.matches(
                wanted, agent=None, pool=pool, labels=labels, zone=zone, name=None
            )
        is_meant = fits and (not wanted.asks_name or _is_named(wanted, agent))
        if not is_meant or not self._left(wanted, agent.id):
            return 0
        heapq.heappush(near.heap, (busy / agent.slots, agent.id))
        return agent.id

    def _look_further(
        self, near: _Near, wanted: Selector, before: tuple[float, int] | None = None
    ) -> int | None:
        """At the next one, where it may be less loaded than this. It, if it has a place, else 0; None: there
        is no such one."""
        found = self._next(near)
        if found is None or (before is not None and before < found[:2]):
            return None
        _, _, pool, agent = found
        near.looked[pool] += 1
        return self._look_at(near, wanted, agent)

    def _left(self, wanted: Selector, agent: int) -> int:
        """How many more such tasks this agent may have."""
        left = self._agents[agent].slots - self._busy[agent]
        if not wanted.agent_max:
            return max(0, left)
        has = self._members.get(wanted.whole)
        if has is None:
            has = self._members[wanted.whole] = holdings.members_on(self._store, wanted)
        return max(0, min(left, wanted.agent_max - has.get(agent, 0)))

    def agent(self, agent: int) -> Agent:
        """One that `take` named."""
        return self._agents[agent]

    def free(self, selector: str, most: int) -> int:
        """Slots that tasks of this selector could take now, as far as `most`."""
        wanted = self._where(selector)
        near = self._near_to(wanted)
        free = sum(self._left(wanted, agent) for _, agent in near.heap)
        while free < most and (agent := self._look_further(near, wanted)) is not None:
            free += self._left(wanted, agent) if agent else 0
        return min(free, most)

    def take(self, selector: str) -> int:
        """The agent for one more task, its slot counted; 0: none."""
        wanted, group = self._where(selector), selectors.sticky_group(selector)
        if group in self._gone_to:  # by this plan
            wanted = wanted._replace(agent=self._gone_to[group])
        near = self._near_to(wanted)
        heap = near.heap
        if wanted.order and not wanted.agent:
            return self._take_in_order(wanted, near, group)
        while heap or self._look_further(near, wanted) is not None:
            if not heap:
                continue
            load, agent = heap[0]
            slots, busy = self._agents[agent].slots, self._busy[agent]
            if not self._left(wanted, agent):
                heapq.heappop(heap)
            elif load != busy / slots:
                heapq.heapreplace(heap, (busy / slots, agent))
            elif self._look_further(near, wanted, (load, agent)) is None:
                self._fill(wanted, agent, group)
                heapq.heapreplace(heap, ((busy + 1) / slots, agent))
                return agent
        return 0

    def _fill(self, wanted: Selector, agent: int, group: int) -> None:
        self._busy[agent] += 1
        if wanted.agent_max:
            has = self._members[wanted.whole]
            has[agent] = has.get(agent, 0) + 1
        if group:
            self._gone_to[group] = agent

    def _take_in_order(self, wanted: Selector, near: _Near, group: int) -> int:
        while self._look_further(near, wanted) is not None:
            pass
        free = [self._agents[agent] for _, agent in near.heap if self._left(wanted, agent)]
        if not free:
            return 0
        work = self._work_by_zone(wanted) if SPREAD in wanted.order else {}
        last = self._turns.get(wanted, 0)

        def place(agent: Agent) -> tuple[object, ...]:
            words = (rank(word, agent, work, last) for word in wanted.order)
            return (*words, self._busy[agent.id] / agent.slots, agent.id)

        chosen = min(free, key=place)
        work[chosen.zone] = work.get(chosen.zone, 0) + 1
        if ROUND_ROBIN in wanted.order:
            self._turns.pop(wanted, None)
            self._turns[wanted] = chosen.id
            while len(self._turns) > TURNS_MAX:
                del self._turns[next(iter(self._turns))]
        self._fill(wanted, chosen.id, group)
        return chosen.id

    def _work_by_zone(self, wanted: Selector) -> dict[str, int]:
        """Attempts on agents that fit, those that are full too."""
        found = self._by_zone.get(wanted)
        if found is None:
            found = self._by_zone[wanted] = {}
            for agent in agent_rows.connected(self._store):
                if _is_named(wanted, agent):
                    busy = self._busy.get(agent.id, agent.busy)
                    found[agent.zone] = found.get(agent.zone, 0) + busy
        return found

    def take_for_tick(self, selector: str) -> int:
        """As `take`, but 0 while tasks of this selector are left in the queue."""
        return 0 if selector in self._crowded else self.take(selector)

    def leave_queued(self, selector: str) -> None:
        self._crowded.add(selector)


def rank(word: str, agent: Agent, work: dict[str, int], last: int) -> object:
    """Its place by one word of an order, the least first. `work`: attempts by zone; `last`: who had the last
    turn."""
    name, _, value = word.partition(" ")
    if name == SPREAD:
        return work.get(agent.zone, 0)
    if name == PREFER:
        return agent.zone != value
    if name == ROUND_ROBIN:
        return agent.id <= last, agent.id
    said = dict(selectors.parse_labels(agent.labels)).get(PRIORITY, "")
    return int(said) if said.isascii() and said.isdecimal() else PRIORITY_LAST


def _is_named(wanted: selectors.Selector, agent: Agent) -> bool:
    return selectors.matches(
        wanted, agent=agent.id, pool=agent.pool, labels=agent.labels, zone=agent.zone, name=agent.name
    )
