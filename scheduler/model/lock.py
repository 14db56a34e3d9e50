"""A lock as a job file says it: `warehouse`, or `{resource: yard-licences, amount: 2}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema

from scheduler.model.fields import REFERENCE_PATTERN, Model, Reference, as_tuple
from scheduler.model.locks import AMOUNT_MAX, LOCKS_MAX, resource_key
from scheduler.model.problems import Problem, pointer_of


class Lock(Model):
    resource: Reference
    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX)] = 1


def _written_out(value: Any) -> Any:
    return {"resource": value} if isinstance(value, str) else value


def _or_none(value: Any) -> Any:
    """Equal jobs have one text: no lock is said by silence alone."""
    return None if value in ([], ()) else value


_REFERENCE = {
    "type": "string", "pattern": REFERENCE_PATTERN,
    "description": "NAME, or NAMESPACE/NAME of another namespace",
}  # fmt: skip
_SCHEMA = {
    "type": "array",
    "maxItems": LOCKS_MAX,
    "items": {
        "anyOf": [
            _REFERENCE,
            {
                "type": "object",
                "properties": {
                    "resource": _REFERENCE,
                    "amount": {"type": "integer", "minimum": 1, "maximum": AMOUNT_MAX, "default": 1},
                },
                "required": ["resource"],
                "additionalProperties": False,
            },
        ]
    },
    "description": "resources of which it takes one, or an amount, before it starts: all of them or none",
}
_Some = Annotated[
    tuple[Annotated[Lock, BeforeValidator(_written_out)], ...],
    BeforeValidator(as_tuple),
    Field(max_length=LOCKS_MAX),
    WithJsonSchema(_SCHEMA),
]
Locks = Annotated[_Some | None, BeforeValidator(_or_none)]


class Within(NamedTuple):
    """A group that takes locks."""

    group: str
    locks: Sequence[Lock]
    tasks: Sequence[str]  #: that are inside


class _Held(NamedTuple):
    """What is held by then, by whom."""

    amounts: Mapping[str, int]
    whose: str
    field: str  #: that says so


def lock_problems(
    namespace: str,
    of_job: Sequence[Lock],
    of_tasks: Mapping[str, Sequence[Lock]],
    of_groups: Sequence[Within] = (),
) -> list[Problem]:
    """What is wrong with a job's locks together: named twice, or not in the order in which all jobs take
    them."""
    place: tuple[str, ...] = ("policies", "locks")
    problems = _repeated(of_job, namespace, place)
    outer = _Held(_amounts(of_job, namespace), "its job", "policies.locks")
    held = dict[str, _Held]()
    for group, locks, tasks in of_groups:
        problems += _inside(locks, namespace, ("groups", group, "locks"), outer)
        both = {**_amounts(locks, namespace), **outer.amounts}
        held |= dict.fromkeys(tasks, _Held(both, f"its group {group}", f"groups.{group}.locks"))
    for name, locks in of_tasks.items():
        problems += _inside(locks, namespace, ("tasks", name, "locks"), held.get(name, outer))
    return problems


def never_taken(
    of_job: Sequence[Lock], of_groups: Sequence[Within], placed: frozenset[str]
) -> list[Problem]:
    """Locks of a job and of groups in which no task is given to an agent (`placed`: those that are): they are
    taken with that, and would keep nobody out."""
    in_vain: list[tuple[str, ...]] = [("policies", "locks")] if of_job and not placed else []
    in_vain += [("groups", each.group, "locks") for each in of_groups if placed.isdisjoint(each.tasks)]
    said = "no task in it is given to an agent, and it would take them with the first that is: never"
    hint = "let the jobs that it begins take them, or put a task of `noop: true` before all others in it"
    return [Problem(pointer_of(*place), said, hint) for place in in_vain]


def _amounts(locks: Sequence[Lock], namespace: str) -> dict[str, int]:
    return {resource_key(lock.resource, namespace): lock.amount for lock in locks}


def _inside(
    locks: Sequence[Lock], namespace: str, place: tuple[str, ...], held: _Held
) -> list[Problem]:
    """The same of locks that are taken while others are held."""
    problems = _repeated(locks, namespace, place)
    last = max(held.amounts, default="")
    for number, lock in enumerate(locks):
        key = resource_key(lock.resource, namespace)
        if lock.amount > held.amounts.get(key, lock.amount):
            said = f"{held.whose} holds {held.amounts[key]} of {key}, and it asks for {lock.amount}"
            hint = f"let {held.field} take as much: more could be taken only by waiting for oneself"
            problems.append(Problem(pointer_of(*place, number), said, hint))
        elif key not in held.amounts and key < last:
            said = f"{key} sorts before {last}, which {held.whose} holds by then"
            hint = f"take {key} in {held.field} too, or {last} further inside alone"
            problems.append(Problem(pointer_of(*place, number), said, hint))
    return problems


def _repeated(locks: Sequence[Lock], namespace: str, place: tuple[str, ...]) -> list[Problem]:
    problems = []
    named: dict[str, int] = {}
    for number, lock in enumerate(locks):
        key = resource_key(lock.resource, namespace)
        if named.setdefault(key, number) != number:
            said = f"{key} is named by number {named[key]} already"
            problems.append(Problem(pointer_of(*place, number), said, "add the amounts, and remove one"))
    return problems
