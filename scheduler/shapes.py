"""Whether a record's fields are of the types that its class names, as an expression that is compiled once.

Integers of more than 62 bits are refused too: SQLite could not store all of them, and an error there stops
the node. Lists must be tuples: what reads a wire makes them so.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec

_LIMIT = 1 << 62  #: as words.record.INTEGER_LIMIT
Check = Callable[[Any], bool]


class _Source:
    """An expression that is true for values of a type; `known` are the classes that it names."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {"LIMIT": _LIMIT}
        self._names = 0

    def test(self, hint: Any, value: str) -> str:
        if hint is Any:
            return "True"
        if hint is int:
            return f"(type({value}) is int and -LIMIT < {value} < LIMIT)"
        if hint in (str, bytes, bool):
            return f"type({value}) is {hint.__name__}"
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (types.UnionType, typing.Union):
            (inner,) = (argument for argument in arguments if argument is not types.NoneType)
            return f"({value} is None or {self.test(inner, value)})"
        if origin is tuple and arguments[-1] is Ellipsis:
            self._names += 1
            each = f"each{self._names}"
            return (
                f"(type({value}) is tuple and"
                f" all([{self.test(arguments[0], each)} for {each} in {value}]))"
            )
        if origin is dict:
            self._names += 1
            key, each = f"key{self._names}", f"each{self._names}"
            tests = f"{self.test(arguments[0], key)} and {self.test(arguments[1], each)}"
            return f"(type({value}) is dict and all([{tests} for {key}, {each} in {value}.items()]))"
        if origin is tuple:
            parts = "".join(f" and {self.test(part, f'{value}[{n}]')}" for n, part in enumerate(arguments))
            return f"(type({value}) is tuple and len({value}) == {len(arguments)}{parts})"
        if dataclasses.is_dataclass(hint) or (isinstance(hint, type) and issubclass(hint, msgspec.Struct)):
            cls = typing.cast(type[Any], hint)
            self.known[cls.__name__] = cls
            return f"(type({value}) is {cls.__name__} and {self.fields(cls, value)})"
        raise TypeError(f"no check for {hint!r}")

    def fields(self, cls: type[Any], value: str) -> str:
        return " and ".join(self.test(hint, f"{value}.{name}") for name, hint in _hints(cls)) or "True"


def _hints(cls: type[Any]) -> list[tuple[str, Any]]:
    hints = typing.get_type_hints(cls)
    return [(name, hints[name]) for name in cls.__match_args__]


def check_of(cls: type[Any]) -> Check:
    """True for an object of this class whose fields all are what they say."""
    source = _Source()
    check: Check = eval(f"lambda record: {source.fields(cls, 'record')}", source.known)
    return check


def first_wrong(record: Any) -> str | None:
    """The name of the first field of a wrong type."""
    for name, hint in _hints(type(record)):
        source = _Source()
        if not eval(source.test(hint, "value"), {**source.known, "value": getattr(record, name)}):
            return name
    return None
