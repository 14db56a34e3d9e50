"""Are a decoded command's fields of the types that its class names? What came over a wire is not trusted to
be.

Integers beyond 63 bits are refused too: SQLite could not store them, and an error there stops the node.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any

from scheduler.codec import COMMAND_TAGS

_LIMIT = 1 << 62
Check = Callable[[Any], bool]


def _integer(value: Any) -> bool:
    return type(value) is int and -_LIMIT < value < _LIMIT


def _check(hint: Any) -> Check:
    if hint is int:
        return _integer
    if hint in (str, bytes, bool):
        return lambda value, kind=hint: type(value) is kind  # type: ignore[misc]  # a bound default
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        (inner,) = (_check(argument) for argument in arguments if argument is not type(None))
        return lambda value: value is None or inner(value)
    if origin is tuple and arguments[-1] is Ellipsis:
        item = _check(arguments[0])
        return lambda value: type(value) is tuple and all(item(element) for element in value)
    if origin is tuple:
        items = [_check(argument) for argument in arguments]
        return lambda value: (
            type(value) is tuple
            and len(value) == len(items)
            and all(check(element) for check, element in zip(items, value, strict=True))
        )
    if dataclasses.is_dataclass(hint):
        fields = _fields(typing.cast(type[Any], hint))
        return lambda value: (
            type(value) is hint and all(check(getattr(value, name)) for name, check in fields)
        )
    raise TypeError(f"no check for {hint!r}")


def _fields(cls: type[Any]) -> tuple[tuple[str, Check], ...]:
    hints = typing.get_type_hints(cls)
    return tuple((field.name, _check(hints[field.name])) for field in dataclasses.fields(cls))


_FIELDS = {cls: _fields(cls) for cls in COMMAND_TAGS}


def misshapen(command: Any) -> str | None:
    """The name of the first field of a wrong type, or None."""
    for name, check in _FIELDS[type(command)]:
        if not check(getattr(command, name)):
            return name
    return None
