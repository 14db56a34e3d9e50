"""Commands read as slowly and plainly as can be: the verdict that the product's decoder has to come to.

It unpacks an array, gives its values to a class that checks nothing, then looks at each field. Nothing of it
is used by the product: what a node makes of any bytes is part of the state's hash, whatever reads them.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any

import msgpack
import msgspec

from scheduler.words.record import COMMANDS, Record

LIMIT = 1 << 62
NEWER = "newer"
NO_COMMAND = "not a command"


@functools.cache
def twin(cls: type[Record]) -> type[Any]:
    """A dataclass with the same fields and defaults."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(cls):
        default = field.default
        if isinstance(default, Record):
            default = twin(type(default))(*msgspec.structs.astuple(default))
        fields.append((field.name, Any, *([] if field.required else [dataclasses.field(default=default)])))
    return dataclasses.make_dataclass(cls.__name__, fields, frozen=True)


@functools.cache
def hints(cls: type[Record]) -> dict[str, Any]:
    told = typing.get_type_hints(cls)
    return {field.name: told[field.name] for field in msgspec.structs.fields(cls)}


def item_of(hint: Any) -> type[Record] | None:
    """The records that a field is a tuple of."""
    item = next(iter(typing.get_args(hint)), None)
    return item if isinstance(item, type) and issubclass(item, Record) else None


def read(cls: type[Record], row: Any) -> Any:
    values = list(row)
    for place, hint in enumerate(hints(cls).values()):
        item = item_of(hint)
        if item is not None and place < len(values):
            values[place] = tuple([read(item, inner) for inner in values[place]])
        if isinstance(hint, type) and issubclass(hint, Record) and place < len(values):
            if type(values[place]) is not tuple:
                raise ValueError("no record")
            values[place] = read(hint, values[place])
    return twin(cls)(*values)


def fits(value: Any, hint: Any) -> bool:
    if hint is int:
        return type(value) is int and -LIMIT < value < LIMIT
    if hint in (str, bytes, bool):
        return type(value) is hint
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(value is None if part is types.NoneType else fits(value, part) for part in arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return type(value) is tuple and all(fits(inner, arguments[0]) for inner in value)
    if origin is tuple:
        return type(value) is tuple and len(value) == len(arguments) and all(map(fits, value, arguments))
    if isinstance(hint, type) and issubclass(hint, Record):
        return type(value) is twin(hint) and wrong_field(value, hint) is None
    raise AssertionError(hint)


def wrong_field(value: Any, cls: type[Record]) -> str | None:
    return next((name for name, hint in hints(cls).items() if not fits(getattr(value, name), hint)), None)


def plain(value: Any) -> Any:
    """A record of either kind as nested tuples."""
    if isinstance(value, Record):
        return tuple(plain(part) for part in msgspec.structs.astuple(value))
    if dataclasses.is_dataclass(value):
        return tuple(plain(getattr(value, field.name)) for field in dataclasses.fields(value))
    return tuple(map(plain, value)) if type(value) is tuple else value


def verdict(data: bytes) -> tuple[str, Any]:
    """The command's name and its values, or why it is none."""
    try:
        row = msgpack.unpackb(data, raw=False, use_list=False, strict_map_key=False)
        if type(row) is not tuple or not row or type(row[0]) is not int or row[0] not in COMMANDS:
            raise ValueError("no record")
        cls = COMMANDS[row[0]]
        command = read(cls, row[1:])
    except Exception:
        return unknown(data), None
    field = wrong_field(command, cls)
    if field is not None:
        return f"{cls.__name__}.{field} has a wrong type", None
    return cls.__name__, plain(command)


def unknown(data: bytes) -> str:
    try:
        row = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except Exception:
        return NO_COMMAND
    if not (isinstance(row, list) and row and isinstance(row[0], int)):
        return NO_COMMAND
    known = COMMANDS.get(row[0])
    fields = None if known is None else len(hints(known))
    return NEWER if fields is None or len(row) - 1 > fields else NO_COMMAND
