"""A lock as a job file says it: `warehouse`, or `{resource: yard-licences, amount: 2}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

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


def lock_problems(
    namespace: str, of_job: Sequence[Lock], of_tasks: Mapping[str, Sequence[Lock]]
) -> list[Problem]:
    """What is wrong with a job's locks together: named twice, or not in the order in which all jobs take
    them."""
    place: tuple[str, ...] = ("policies", "locks")
    problems = _repeated(of_job, namespace, place)
    held = {resource_key(lock.resource, namespace): lock.amount for lock in of_job}
    last = max(held, default="")
    for name, locks in of_tasks.items():
        place = ("tasks", name, "locks")
        problems += _repeated(locks, namespace, place)
        for number, lock in enumerate(locks):
            key = resource_key(lock.resource, namespace)
            if lock.amount > held.get(key, lock.amount):
                said = f"its job holds {held[key]} of {key}, and it asks for {lock.amount}"
                hint = "let policies.locks take as much: more could be taken only by waiting for oneself"
                problems.append(Problem(pointer_of(*place, number), said, hint))
            elif key not in held and key < last:
                said = f"{key} sorts before {last}, which the job holds by then"
                hint = f"take {key} in policies.locks too, or {last} in the tasks alone"
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
