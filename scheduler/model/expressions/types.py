"""Whether a condition means something: its names are known, and each part has the type that it needs.

A context says what a name is (`Context.type_of`); it raises `Refused` for one that it does not know, with the
near miss. Of several mistakes the first in the text is told."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from scheduler.model.expressions.syntax import (
    Compare,
    ExpressionError,
    Join,
    Listed,
    Literal,
    Name,
    Node,
    Not,
    parse,
)
from scheduler.model.expressions.values import Value, read_as
from scheduler.model.problems import Refused


class Type(StrEnum):
    BOOLEAN = "true or false"
    NUMBER = "a number"
    TEXT = "a text"
    DATE = "a date"
    INSTANT = "an instant"
    DURATION = "a duration"
    LIST = "a list"
    MAP = "an object"
    ANY = "a value"  #: known when it is judged alone: it is read as what it is compared with


BOOLEAN, NUMBER, TEXT, ANY = Type.BOOLEAN, Type.NUMBER, Type.TEXT, Type.ANY
DATE, INSTANT, DURATION, LIST, MAP = Type.DATE, Type.INSTANT, Type.DURATION, Type.LIST, Type.MAP
WRITTEN: dict[Type, str] = {DATE: "2026-12-31", INSTANT: "2026-12-31T23:00:00Z", DURATION: "1h30m"}
"""What a text says that stands beside one of these, and how it is written."""
_UNORDERED = frozenset({BOOLEAN, LIST, MAP})
_ORDERED = frozenset({"<", "<=", ">", ">="})


class Context(Protocol):
    def type_of(self, name: str, /) -> Type:
        """What the name gives. Raises Refused."""


def checked(text: str, context: Context) -> Node:
    """The tree of a condition that can be judged. Raises ExpressionError."""
    tree = parse(text)
    _need(BOOLEAN, tree, context, "the whole")
    return tree


def _type_of(node: Node, context: Context) -> Type:
    match node:
        case Literal(value=bool()):
            return BOOLEAN
        case Literal(value=str()):
            return TEXT
        case Literal():
            return NUMBER
        case Name(path=path):
            try:
                return context.type_of(path)
            except Refused as refused:
                raise ExpressionError(refused.detail, node.start, refused.hint) from refused
        case Not(part=part):
            _need(BOOLEAN, part, context, "what `not` denies")
        case Join(word=word, parts=parts):
            for part in parts:
                _need(BOOLEAN, part, context, f"what `{word}` joins")
        case Compare(sign=sign, left=left, right=right):
            _check_compared(sign, left, right, context)
        case Listed():
            raise ExpressionError("a list stands after `in` alone", node.start)
    return BOOLEAN


def _check_compared(sign: str, left: Node, right: Node, context: Context) -> None:
    kind = _type_of(left, context)
    if isinstance(right, Listed):
        for item in right.items:
            _need(kind, item, context, "each value of the list")
        return
    if sign in ("in", "not in"):
        _need(LIST, right, context, f"what follows `{sign}`")
        return
    if sign in _ORDERED and kind in _UNORDERED:
        raise ExpressionError(f"{sign} puts numbers, texts or times in order, not {kind}", left.start)
    if (other := _type_of(right, context)) in WRITTEN and kind is TEXT:
        _need(other, left, context, f"what {sign} compares with {other}")
    else:
        _need(kind, right, context, f"what {sign} compares with {kind}")


def _need(wanted: Type, node: Node, context: Context, what: str) -> None:
    given = _type_of(node, context)
    if wanted in WRITTEN and given is TEXT:
        if isinstance(node, Literal) and isinstance(node.value, str) and not _reads(wanted, node.value):
            hint = f"such as '{WRITTEN[wanted]}'"
            raise ExpressionError(f"{node.value[:60]!r} is not {wanted}", node.start, hint)
        return
    if given is not wanted and ANY not in (given, wanted):
        hint = "compare it with something" if wanted is BOOLEAN else ""
        raise ExpressionError(f"{what} must be {wanted}, not {given}", node.start, hint)


def _reads(wanted: Type, text: str) -> bool:
    return read_as(_EXAMPLES[wanted], text) is not None


_EXAMPLES: dict[Type, Value] = {DATE: date.min, INSTANT: datetime.min, DURATION: timedelta(0)}
