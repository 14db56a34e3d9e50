"""Runs that wait for each other for ever, by what they hold of resources and by runs of other jobs that their
tasks wait for.

Rules of this file:

1. Who holds something gives it back when he ends, and he ends when all that is in him has: so one task that
   can never start keeps all of it. A task can never start where what is free of a resource, and what those
   will give back who come to their end, is less than it asks for.
2. Within one run nobody waits in a circle (`model.locks`), so each has a run in it that another one waits
   for, and below that a task that waits for a resource. Such a task is asked about, and is the one to fail.
3. The order of the queue counts: who may not pass an earlier one that waits (`plan.locks`) waits for that as
   for a holder, while an agent would take it. Of what one of a run with locks respects, the first alone is
   looked at.
4. `stuck` and `circle` know neither store nor jobs: a test holds them against who would end, one by one.
5. Bounded: so many are looked at. Whoever was not looked at is taken to come to his end: no task fails that
   might have started."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from scheduler.machine.rules import amounts, holdings, lock_queues, selectors
from scheduler.machine.rules.holdings import asked
from scheduler.model.locks import GROUP, RUN, TASK
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import lock_holds, nested
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.tasks import Task

LOOKED_MAX = 200  #: runs, groups and tasks
BEHIND_MAX = 5  #: of those that wait for one resource, the first
BESIDE_MAX = 50  #: holders of one resource, and what one holder waits for, looked at
TOLD_MAX = 12

Node = tuple[str, int]
"""A run or a group with its task, or a task that waits."""


class _Read:
    """What one look has read: there may be thousands of agents, and many who wait."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.queues: dict[str, list[tuple[lock_queues.Place, bool]]] = {}  #: by resource
        self._agents: list[Agent] | None = None
        self._places: dict[str, bool] = {}

    def has_place(self, selector: str) -> bool:
        """Whether an agent would take it now: who has none lets others pass."""
        found = self._places.get(selector)
        if found is None:
            if self._agents is None:
                rows = agent_rows.connected(self.store)
                self._agents = [row for row in rows if not row.draining and row.busy < row.slots]
            wanted = holdings.where(self.store, selector)
            found = self._places[selector] = any(
                selectors.matches(
                    wanted, agent=row.id, pool=row.pool, labels=row.labels, zone=row.zone, name=row.name
                )
                for row in self._agents
                if selectors.offers(wanted, row.kinds)
                if not holdings.is_full(self.store, wanted, row.id)
            )
        return found


class Lack(NamedTuple):
    """What a task waits for."""

    resource: str
    free: int
    wanted: int
    holders: tuple[tuple[Node, int], ...]  #: and how much each has
    is_order: bool = False  #: it is free, and the one holder waits for it since before


class Waits(NamedTuple):
    inside: Mapping[Node, Sequence[Node]]  #: who has to end before a holder does
    lacks: Mapping[Node, Sequence[Lack]]  #: of each task


def find(store: Store, task: Task, now_ms: int) -> str:
    """The circle in which this queued task waits, in words; empty: there is none, as far as one sees."""
    if not is_waited_for(store, task.run) or not selectors.has_locks(task.selector):
        return ""
    found = _look(store, task, now_ms)
    start = (TASK, task.id)
    for_ever = stuck(found)
    way = circle(start, found, for_ever) if start in for_ever else []
    run = run_rows.get(store, task.run)
    return _words(store, found, way, run.namespace if run else "") if way else ""


def is_waited_for(store: Store, run: int) -> bool:
    """By a task of another run."""
    child = nested.get(store, run)
    return child is not None and child.waits == 1


def stuck(waits: Waits) -> frozenset[Node]:
    """All that can never end."""
    left = {*waits.inside, *waits.lacks}
    while True:
        gone = {node for node in left if not _is_kept(node, waits, left)}
        if not gone:
            return frozenset(left)
        left -= gone


def circle(start: Node, waits: Waits, for_ever: Collection[Node]) -> list[Node]:
    """The shortest way from one that can never end over what it waits for back to it; empty: it is in no
    circle, and waits for one elsewhere."""
    came_from: dict[Node, Node] = {}
    ways = [start]
    for node in ways:
        for following in _following(node, waits):
            if following == start:
                way = [node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if following in for_ever and following not in came_from:
                came_from[following] = node
                ways.append(following)
    return []


def _following(node: Node, waits: Waits) -> list[Node]:
    held = [holder for lack in waits.lacks.get(node, ()) for holder, _ in lack.holders]
    return [*waits.inside.get(node, ()), *held]


def _is_kept(node: Node, waits: Waits, left: Collection[Node]) -> bool:
    if node in waits.inside:
        return any(each in left for each in waits.inside[node])
    return any(_comes_back(lack, left) < lack.wanted for lack in waits.lacks[node])


def _comes_back(lack: Lack, left: Collection[Node]) -> int:
    return lack.free + sum(amount for holder, amount in lack.holders if holder not in left)


# -- read from the state --------------------------------------------------------------------------------


def _look(store: Store, task: Task, now_ms: int) -> Waits:
    inside: dict[Node, list[Node]] = {}
    lacks: dict[Node, list[Lack]] = {}
    ways: list[Node] = [(TASK, task.id)]
    known = set(ways)
    read = _Read(store)
    for kind, id in ways:
        if len(inside) + len(lacks) == LOOKED_MAX:
            break
        if kind == TASK:
            row = task_rows.get(store, id)
            lacks[kind, id] = [] if row is None else _lacks(store, row, now_ms, read)
        else:
            inside[kind, id] = _inside(store, kind, id)
        for node in _following((kind, id), Waits(inside, lacks)):
            if node not in known:
                known.add(node)
                ways.append(node)
    return Waits(inside, lacks)


def _lacks(store: Store, task: Task, now_ms: int, read: _Read) -> list[Lack]:
    """What one that is queued cannot have. A task that an agent has, and which holds some, comes to its
    end."""
    found = []
    for lock in asked(store, selectors.parse(task.selector)).wants if task.state == "queued" else ():
        amount, use = amounts.amount_of(store, lock.resource), lock_holds.use_of(store, lock.resource)
        free = amounts.free(amount, use, now_ms)
        if free < lock.amount <= amount.total and not amount.period_ms:
            holders = [
                ((hold.holder, hold.id), hold.amount)
                for hold in lock_holds.on(store, lock.resource, BESIDE_MAX)
                if hold.holder != TASK
            ]
            others = amount.total - free - sum(held for _, held in holders)  # those come back
            found.append(Lack(lock.resource, free + others, lock.amount, tuple(holders)))
    return found or _behind(store, task, now_ms, read)


def _behind(store: Store, task: Task, now_ms: int, read: _Read) -> list[Lack]:
    """Whom one that could have all it asks for may not pass."""
    wanted = asked(store, selectors.parse(task.selector))
    if task.state != "queued" or wanted.is_nested:
        return []
    found: list[Lack] = []
    for lock in wanted.wants:
        if lock.resource not in read.queues:
            read.queues[lock.resource] = _queue(store, lock.resource, now_ms, read)
        for place, is_first in read.queues[lock.resource]:
            if place < (task.rank_ms, task.id) and (is_first or not wanted.is_inside):
                found.append(Lack(lock.resource, 0, 1, (((TASK, place[1]), 1),), is_order=True))
    return found


def _queue(
    store: Store, resource: str, now_ms: int, read: _Read
) -> list[tuple[lock_queues.Place, bool]]:
    """Who waits for it first and keeps his place; and whether it is the first that he takes."""
    found = []
    for each in islice(lock_queues.waiting(store, resource, most=BESIDE_MAX), BEHIND_MAX):
        row = task_rows.get(store, each.id)
        wants = () if row is None else asked(store, selectors.parse(row.selector)).wants
        lacks = any(_free(store, lock.resource, now_ms) < lock.amount for lock in wants)
        if row is not None and lacks and read.has_place(row.selector):
            found.append(((row.rank_ms, row.id), wants[0].resource == resource))
    return found


def _free(store: Store, resource: str, now_ms: int) -> int:
    return amounts.free(amounts.amount_of(store, resource), lock_holds.use_of(store, resource), now_ms)


def _inside(store: Store, kind: str, id: int) -> list[Node]:
    """What of a run, or a group, waits for a resource, and the runs that it waits for."""
    group = id if kind == GROUP else 0
    run = id
    if group:
        row = task_rows.get(store, group)
        run = 0 if row is None else row.run
    found: list[Node] = [
        (TASK, task.id)
        for task in task_rows.queued_of(store, run, BESIDE_MAX)
        if group in (0, _group_of(store, task)) and selectors.has_locks(task.selector)
    ]
    for child in nested.of_parent(store, run, BESIDE_MAX):
        task = task_rows.get(store, child.task) if group else None
        if child.waits and not child.state and (task is None or task.of_group == group):
            found.append((RUN, child.run))
    return found


def _group_of(store: Store, task: Task) -> int:
    """Of a member that of its whole."""
    whole = task_rows.get(store, task.of_group) if task.member else None
    return task.of_group if whole is None else whole.of_group


def _words(store: Store, waits: Waits, way: Sequence[Node], namespace: str) -> str:
    """For those who may read in this namespace: runs of others are told by their numbers alone, and so are
    resources of others for which they wait."""
    told = []
    for node, following in zip(way, [*way[1:], way[0]], strict=True):
        said, next_one = (_said(store, each, namespace) for each in (node, following))
        if node[0] == TASK:
            lack = next(lack for lack in waits.lacks[node] if following in dict(lack.holders))
            is_known = lack.resource.startswith(f"{namespace}/") or _is_in(store, node, namespace)
            has = "waits for before it" if lack.is_order else "holds"
            what = f"{lack.resource}, which {next_one} {has}" if is_known else f"what {next_one} {has}"
            told.append(f"{said} waits for {what}")
        elif following[0] != TASK:
            told.append(f"{said} waits for {next_one}")
    more = "; …" if len(told) > TOLD_MAX else ""
    return f"deadlock: {'; '.join(told[:TOLD_MAX])}{more}"


def _said(store: Store, node: Node, namespace: str) -> str:
    kind, id = node
    row = None if kind == RUN else task_rows.get(store, id)
    if row is None:
        return f"run {id}"
    return f"{kind} {row.name} of run {row.run}" if _is_in(store, node, namespace) else f"run {row.run}"


def _is_in(store: Store, node: Node, namespace: str) -> bool:
    kind, id = node
    row = None if kind == RUN else task_rows.get(store, id)
    run = run_rows.get(store, id if row is None else row.run)
    return run is not None and run.namespace == namespace
