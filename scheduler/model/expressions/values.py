"""A condition judged, sub-expression by sub-expression. None is unknown."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from scheduler.model.expressions.syntax import Compare, Join, Listed, Literal, Name, Node, Not, Scalar

Value = Scalar | None
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Judged:
    node: Node
    value: Value
    parts: tuple[Judged, ...] = ()


def judge(node: Node, value_of: Callable[[str], Value]) -> Judged:
    """Of a checked condition. `value_of` gives the value of a name, None where there is none."""
    match node:
        case Literal(value=value):
            return Judged(node, value)
        case Name(path=path):
            return Judged(node, value_of(path))
        case Not(part=part):
            judged = judge(part, value_of)
            return Judged(node, None if judged.value is None else not judged.value, (judged,))
        case Join(word=word, parts=parts):
            all_of = tuple(judge(part, value_of) for part in parts)
            return Judged(node, _joined(word, [part.value for part in all_of]), all_of)
        case Compare(sign=sign, left=left, right=right):
            first = judge(left, value_of)
            if isinstance(right, Listed):
                items = tuple(judge(item, value_of) for item in right.items)
                found = _among(first.value, [item.value for item in items])
                negated = sign == "not in" and found is not None
                return Judged(node, not found if negated else found, (first, *items))
            second = judge(right, value_of)
            is_known = first.value is not None and second.value is not None
            compared = _SIGNS[sign](first.value, second.value) if is_known else None
            return Judged(node, compared, (first, second))
        case Listed():
            raise AssertionError("a list is judged with what it is compared to")


def holds(node: Node, value_of: Callable[[str], Value]) -> bool:
    """Whether it is true: what is unknown is not."""
    return judge(node, value_of).value is True


def walk(judged: Judged, depth: int = 0) -> Iterator[tuple[int, Judged]]:
    """It and all its parts, each before its own, with how deep it lies."""
    yield depth, judged
    for part in judged.parts:
        yield from walk(part, depth + 1)


def _joined(word: str, values: list[Value]) -> bool | None:
    decides = word == "or"  # one true decides an `or`, one false an `and`
    if any(value is decides for value in values):
        return decides
    return None if None in values else not decides


def _among(value: Value, items: list[Value]) -> bool | None:
    if value is None:
        return None
    if any(item is not None and item == value for item in items):
        return True
    return None if None in items else False
