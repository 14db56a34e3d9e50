"""What a task's group, and the runs above its own, mean for its placement: looked up where it is judged, so
that nothing which waits has to be told when they take something or give it back.

Rules of this file:

1. What a run or a group holds counts as held by all inside of it, and by the runs that tasks inside of it
   wait for: of amounts the largest counts. Only what is missing to that is taken.
2. Of a sticky group all tasks of a round go where the first of them was placed.
3. Of a divided task one agent may have so many members (`max_per_agent`): each takes a room of its agent."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.machine.rules import selectors
from scheduler.machine.rules.nesting import DEPTH_MAX
from scheduler.machine.rules.selectors import Selector
from scheduler.model.locks import AMOUNT_MAX, GROUP, RUN, Lock, agent_of, room_on, rooms_on
from scheduler.store.connection import Store
from scheduler.store.tables import lock_holds, nested, rounds
from scheduler.store.tables import tasks as task_rows


class Asked(NamedTuple):
    """Of resources."""

    wants: tuple[Lock, ...]  #: what a task has to take, in that order
    is_inside: bool  #: something that it is inside of holds some
    is_nested: bool  #: and that is above its run


def asked(store: Store, wanted: Selector) -> Asked:
    if not wanted.run:
        return Asked(wanted.wants, wanted.is_inside, False)
    held: dict[str, int] = {}
    for hold in _above(store, wanted.run):
        # Of a rate the row says that it was spent for all inside.
        held[hold.resource] = max(held.get(hold.resource, 0), hold.amount or AMOUNT_MAX)
    is_nested = bool(held)
    of_group = any(lock.holder == GROUP for lock in wanted.locks)
    of_group = of_group and lock_holds.holds(store, GROUP, wanted.group)
    wants = []
    for lock in wanted.locks:
        before = held.get(lock.resource, 0)
        has = lock.holder == selectors.HELD or (lock.holder == GROUP and of_group)
        if not has and lock.amount > before:
            wants.append(lock._replace(amount=lock.amount - before))
        held[lock.resource] = max(before, lock.amount)
    return Asked(tuple(wants), is_nested or of_group or wanted.is_inside, is_nested)


def _above(store: Store, run: int) -> list[lock_holds.Hold]:
    """What those hold that wait for this run, and their groups."""
    found: list[lock_holds.Hold] = []
    for _ in range(DEPTH_MAX):
        child = nested.get(store, run)
        if child is None or not child.waits:
            break
        run = child.parent
        found += lock_holds.of(store, RUN, run)
        task = task_rows.get(store, child.task)
        if task is not None and task.of_group:
            found += lock_holds.of(store, GROUP, task.of_group)
    return found


def is_full(store: Store, wanted: Selector, agent: int) -> bool:
    """Whether this agent has as many members of its whole as it may."""
    if not wanted.agent_max:
        return False
    room = room_on(wanted.whole, wanted.agent_max, agent)
    return lock_holds.use_of(store, room.resource).held >= wanted.agent_max


def members_on(store: Store, wanted: Selector) -> dict[int, int]:
    """How many members of its whole agents have, of one where that is bounded."""
    if not wanted.agent_max:
        return {}
    return {agent_of(name): held for name, held in lock_holds.held_between(store, *rooms_on(wanted.whole))}


def where(store: Store, selector: str) -> Selector:
    """Which agents may take it, as its group has gone."""
    wanted = selectors.parse(selector)
    now = rounds.get(store, wanted.group) if wanted.sticky and not wanted.agent else None
    return wanted if now is None or not now.agent else wanted._replace(agent=now.agent)
