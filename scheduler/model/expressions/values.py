"""A condition judged, sub-expression by sub-expression. None is unknown."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from scheduler.model.expressions.syntax import Compare, Join, Listed, Literal, Name, Node, Not, Scalar
from scheduler.model.quantities import format_duration, format_instant, parse_duration_ms, parse_instant_ms

Value = Scalar | date | datetime | timedelta | list[Any] | dict[str, Any] | None
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_KINDS: tuple[type | tuple[type, ...], ...] = (
    bool, (int, float), str, datetime, date, timedelta, list, dict,
)  # fmt: skip
"""What can be compared: a value is of the first that it is an instance of."""
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
            if sign in ("in", "not in"):
                among = second.value if isinstance(second.value, list) else None
                found = None if among is None else _among(first.value, among)
                negated = sign == "not in" and found is not None
                return Judged(node, not found if negated else found, (first, second))
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
        left = read_as(right, left)
    elif isinstance(right, str) and not isinstance(left, str):
        right = read_as(left, right)
    if left is None or right is None or _kind(left) != _kind(right):
        return None
    return _SIGNS[sign](left, right)


def _kind(value: Value) -> int:
    return next(place for place, kinds in enumerate(_KINDS) if isinstance(value, kinds))


def plain(value: Value) -> Scalar | None:
    """As it is shown: times and lists as texts."""
    if isinstance(value, datetime):
        return format_instant((value - _EPOCH) // _MS)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return format_duration(value // _MS)
    return json.dumps(value) if isinstance(value, list | dict) else value


def read_as(example: Value, text: str) -> Value:
    """A text as what it is compared with; None: it cannot be read so."""
    if example is None or isinstance(example, bool):
        return truth(text)
    try:
        if isinstance(example, datetime):
            return _EPOCH + parse_instant_ms(text) * _MS
        if isinstance(example, date):
            return date.fromisoformat(text) if len(text) == 10 else None
        if isinstance(example, timedelta):
            return parse_duration_ms(text) * _MS
    except ValueError:
        return None
    if isinstance(example, list | dict):
        return None
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return int(text) if text.lstrip("-").isdigit() else number if math.isfinite(number) else None
