"""A condition judged, sub-expression by sub-expression. None is unknown."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from scheduler.model.expressions.syntax import Compare, Join, Listed, Literal, Name, Node, Not, Scalar

Value = Scalar | None
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
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
            true = truth(judged.value)
            return Judged(node, None if true is None else not true, (judged,))
        case Join(word=word, parts=parts):
            all_of = tuple(judge(part, value_of) for part in parts)
            return Judged(node, _joined(word, [truth(part.value) for part in all_of]), all_of)
        case Compare(sign=sign, left=left, right=right):
            first = judge(left, value_of)
            if isinstance(right, Listed):
                items = tuple(judge(item, value_of) for item in right.items)
                found = _among(first.value, [item.value for item in items])
                negated = sign == "not in" and found is not None
                return Judged(node, not found if negated else found, (first, *items))
            second = judge(right, value_of)
            return Judged(node, _compared(sign, first.value, second.value), (first, second))
        case Listed():
            raise AssertionError("a list is judged with what it is compared to")


def holds(node: Node, value_of: Callable[[str], Value]) -> bool:
    """Whether it is true: what is unknown is not."""
    return truth(judge(node, value_of).value) is True


def truth(value: Value) -> bool | None:
    """A value where true or false is asked."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


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
    equal = [_compared("==", value, item) for item in items]
    return True if True in equal else None if None in equal else False


def _compared(sign: str, left: Value, right: Value) -> bool | None:
    """Of a text and what is none, the text is read as the other is."""
    if isinstance(left, str) and not isinstance(right, str):
        left = _read_as(right, left)
    elif isinstance(right, str) and not isinstance(left, str):
        right = _read_as(left, right)
    if left is None or right is None or isinstance(left, bool) is not isinstance(right, bool):
        return None
    return _SIGNS[sign](left, right)


def _read_as(example: Value, text: str) -> Value:
    if example is None or isinstance(example, bool):
        return truth(text)
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return int(text) if text.lstrip("-").isdigit() else number if math.isfinite(number) else None
