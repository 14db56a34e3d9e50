"""Why bytes are no sound command, said field by field. The words are part of the state's hash: they depend on
the bytes alone, and are the same whatever reads commands fast (`codec`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgpack

from scheduler.shapes import first_wrong
from scheduler.words.commands import Command
from scheduler.words.record import COMMANDS, Record, inner, parts


class UnknownRecordError(ValueError):
    """Bytes that this version cannot read: an unknown tag, surplus fields or no msgpack at all."""


class NewerRecordError(UnknownRecordError):
    """A command of an unknown tag, or with surplus fields."""


class MisshapenError(ValueError):
    """A command with a field that is not of its type."""


def judge(data: bytes) -> Command:
    """The command, were there nothing wrong with it; else raises as `codec.decode_command`."""
    row = _unpacked(data, use_list=False)
    cls = COMMANDS.get(row[0]) if type(row) is tuple and row and type(row[0]) is int else None
    try:
        if cls is None:
            raise TypeError("no command")
        command: Command = _record(cls, row[1:])
    except TypeError as error:
        raise _unknown(data)(f"{row!r:.100}: {error}") from error
    field = first_wrong(command)
    if field is not None:
        raise MisshapenError(f"{cls.__name__}.{field} has a wrong type")
    return command


def _unpacked(data: bytes, *, use_list: bool) -> Any:
    try:
        return msgpack.unpackb(data, raw=False, use_list=use_list, strict_map_key=False)
    except Exception:  # of many types, for malformed bytes
        return None


def _unknown(data: bytes) -> type[UnknownRecordError]:
    """An array that begins with a number may be a record of a newer version."""
    row = _unpacked(data, use_list=True)
    if not (isinstance(row, list) and row and isinstance(row[0], int)):
        return UnknownRecordError
    known = COMMANDS.get(row[0])
    is_newer = known is None or len(row) - 1 > len(known.__struct_fields__)
    return NewerRecordError if is_newer else UnknownRecordError


def _record(cls: type[Record], fields: Sequence[Any]) -> Any:
    """Raises TypeError for too few or too many, and for what holds no records where records belong."""
    values = list(fields)
    for place, item in parts(cls).items():
        if place < len(values):
            values[place] = tuple([_record(item, row) for row in values[place]])
    for place, item in inner(cls).items():
        if place < len(values):
            if type(values[place]) is not tuple:
                raise TypeError("no record")
            values[place] = _record(item, values[place])
    return cls(*values)
