"""What a job or a task takes of resources, in plain values: no pydantic, for the core compiles jobs.

Rules of this file:

1. What is taken in several steps is taken in one order for all jobs, that of the resources' names with their
   namespaces. A job takes what it says before its groups and tasks take what they say, and a group before its
   tasks, so theirs sorts after all of it: nobody can wait in a circle.
2. What a holder has counts as held by all inside of it: a task does not take it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scheduler.model.named import resolved

LOCKS_MAX = 16  #: of a task, and of a job
AMOUNT_MAX = 1_000_000
RUN, GROUP, TASK = "run", "group", "task"
"""Who holds: a run or a group from the first placement in it to its end, a task while an attempt of it may
run."""


ROOM = "@"
"""Begins what no resource is called: how many tasks of one group agents may have at once, or members of a
divided task one agent. It is taken as a resource is, by each of them."""


class Lock(NamedTuple):
    holder: str  #: whose it is: of a run, of a group, or of a task
    resource: str  #: NAMESPACE/NAME
    amount: int


def resource_key(text: str, namespace: str) -> str:
    """The resource that is meant, said in this namespace."""
    return "/".join(resolved(text, namespace))


def compiled_locks(
    given: Sequence[Mapping[str, Any]], namespace: str, holder: str, held: Iterable[Lock] = ()
) -> tuple[Lock, ...]:
    """Of the canonical job in this namespace, in the order in which they are taken; `held`: what those hold
    that this one is inside of."""
    known = {lock.resource for lock in held}
    named = [(resource_key(each["resource"], namespace), each["amount"]) for each in given]
    return tuple([Lock(holder, name, amount) for name, amount in sorted(named) if name not in known])


def room_in(group: int, most: int) -> Lock:
    """What a task takes that agents may have of this group at once, so many in all."""
    return Lock(TASK, f"{ROOM}{group}/{most}", 1)


def room_on(whole: int, most: int, agent: int) -> Lock:
    """What a member of this task takes of the agent that it goes to, of so many."""
    return Lock(TASK, f"{ROOM}{whole}:{agent}/{most}", 1)


def rooms_on(whole: int) -> tuple[str, str]:
    """Between these two, in the order of text, are the rooms of its members."""
    return f"{ROOM}{whole}:", f"{ROOM}{whole};"


def agent_of(resource: str) -> int:
    """On which of them one is."""
    return int(resource.partition(":")[2].partition("/")[0])


def room_of(resource: str) -> int:
    """How many those are."""
    return int(resource.partition("/")[2])
