"""Versioned bytes of commands, outcomes and events: msgpack arrays `[tag, field, …]`.

Rules of this file:

1. Fields are positional and only appended, with defaults. A reader fills missing ones from the defaults and
   refuses surplus ones: they belong to a newer `format`.
2. How a record is written and read follows from its fields' types, once, at import: plain values are as
   msgpack has them, a tuple of records is an array of arrays.
3. A field that came after the oldest format is left out while it has its default, so what needs no newer
   format has the bytes that older nodes know, in the log and in the state's hash.
4. What needs a newer format than the state's is not proposed (`needs`).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgpack

from scheduler.words import commands, events
from scheduler.words.commands import Command
from scheduler.words.events import Event
from scheduler.words.outcomes import Code, Outcome

Row = tuple[Any, ...]


class UnknownRecordError(ValueError):
    """Bytes that this version cannot read: an unknown tag, surplus fields or no msgpack at all."""


# -- one class of records -------------------------------------------------------------------------


def _records_in(cls: type[Any]) -> dict[int, type[Any]]:
    """The places of the fields that are tuples of records, and of which."""
    hints = typing.get_type_hints(cls)
    found: dict[int, type[Any]] = {}
    for place, field in enumerate(dataclasses.fields(cls)):
        item: Any = next(iter(typing.get_args(hints[field.name])), None)
        if dataclasses.is_dataclass(item):
            found[place] = typing.cast(type[Any], item)
    return found


def writer(cls: type[Any], *head: str) -> Callable[[Any], Row]:
    """The row of a record: the attributes in `head`, then its fields."""
    fields = dataclasses.fields(cls)
    names = (*head, *(field.name for field in fields))
    # In C, since it is done several times for each tick.
    plain: Callable[[Any], Row] = (
        attrgetter(*names) if len(names) > 1 else lambda record: tuple(getattr(record, n) for n in names)
    )
    nested = [(len(head) + place, writer(item)) for place, item in _records_in(cls).items()]
    newer = [field.default for field in reversed(fields) if "format" in field.metadata]
    if not nested and not newer:
        return plain

    def row(record: Any) -> Row:
        values = list(plain(record))
        for place, inner in nested:
            values[place] = [inner(item) for item in values[place]]
        for default in newer:
            if values[-1] != default:
                break
            values.pop()
        return tuple(values)

    return row


def reader(cls: type[Any]) -> Callable[[Row], Any]:
    """The record of a row's fields. Raises TypeError for too few or too many, and for what holds no records
    where records belong."""
    nested = [(place, reader(item)) for place, item in _records_in(cls).items()]
    if not nested:
        return lambda fields: cls(*fields)

    def record(fields: Row) -> Any:
        values = list(fields)
        for place, inner in nested:
            if place < len(values):
                values[place] = tuple([inner(item) for item in values[place]])
        return cls(*values)

    return record


def newer_fields(cls: type[Any]) -> tuple[tuple[str, Any, int], ...]:
    """Name, default and format of the fields that came after the first format: the last ones."""
    fields = [field for field in dataclasses.fields(cls) if "format" in field.metadata]
    return tuple((field.name, field.default, field.metadata["format"]) for field in fields)


_COMMAND_ROWS = {cls: writer(cls, "tag") for cls in commands.ALL}
_EVENT_ROWS = {cls: writer(cls, "tag") for cls in events.ALL}
_COMMANDS = {cls.tag: (cls, reader(cls), len(dataclasses.fields(cls))) for cls in commands.ALL}
_EVENTS = {cls.tag: reader(cls) for cls in events.ALL}
_NEWER = {cls: newer for cls in commands.ALL if (newer := newer_fields(cls))}
_CODES = {str(code): code for code in Code}

_packer = msgpack.Packer(use_bin_type=True)
"""One for all: a new one costs more than what it packs. Nothing of it runs Python, so a call is one step for
all threads, and it is empty after each, a failed one too."""


def _pack(row: Sequence[Any]) -> bytes:
    packed: bytes = _packer.pack(row)
    return packed


# -- commands -------------------------------------------------------------------------------------


def field_count(tag: int) -> int | None:
    """How many fields a command of this tag may have; None: the tag is unknown."""
    known = _COMMANDS.get(tag)
    return None if known is None else known[2]


def needs(command: Command) -> int:
    """The lowest format of the state in which this command may stand in the log."""
    needed = command.since_format
    for name, default, format in _NEWER.get(type(command), ()):
        if getattr(command, name) != default:
            needed = max(needed, format)
    return needed


def encode_command(command: Command) -> bytes:
    return _pack(_COMMAND_ROWS[type(command)](command))


def decode_command(data: bytes) -> Command:
    """The command of these bytes, its fields' types unchecked (`shape`); raises UnknownRecordError."""
    row = _unpack(data)
    known = _COMMANDS.get(row[0]) if type(row[0]) is int else None
    if known is None:
        raise UnknownRecordError(f"unknown command tag {row[0]!r:.100}")
    cls, read, _ = known
    try:
        command: Command = read(row[1:])
    except TypeError as error:
        raise UnknownRecordError(f"{cls.__name__}: {error!r:.200}") from error
    return command


def _unpack(data: bytes) -> Row:
    try:
        row = msgpack.unpackb(data, raw=False, use_list=False, strict_map_key=False)
    except Exception as error:  # msgpack raises many types for malformed bytes
        raise UnknownRecordError(f"not a record: {error}") from error
    if type(row) is not tuple or not row:
        raise UnknownRecordError("not a record: expected a non-empty array")
    return row


# -- events and outcomes --------------------------------------------------------------------------


def encode_events(events: Sequence[tuple[int, int, Event]]) -> bytes:
    """Events with the index of their command and their number within it."""
    rows = _EVENT_ROWS
    return _pack([(index, n, *rows[type(event)](event)) for index, n, event in events])


def decode_events(data: bytes) -> list[tuple[int, int, Event]]:
    """What `encode_events` packed; raises UnknownRecordError."""
    try:
        rows = msgpack.unpackb(data, raw=False, use_list=False, strict_map_key=False)
        return [(row[0], row[1], _EVENTS[row[2]](row[3:])) for row in rows]
    except Exception as error:  # msgpack raises many types for malformed bytes
        raise UnknownRecordError(f"not events: {error!r:.200}") from error


def encode_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    return _pack([(outcome.code, outcome.detail, outcome.value) for outcome in outcomes])


def decode_outcomes(data: bytes) -> list[Outcome]:
    """What `encode_outcomes` packed; raises UnknownRecordError."""
    try:
        rows = msgpack.unpackb(data, raw=False, strict_map_key=False)
        return [Outcome(_CODES[code], detail, value) for code, detail, value in rows]
    except Exception as error:  # msgpack raises many types for malformed bytes
        raise UnknownRecordError(f"not outcomes: {error!r:.200}") from error


# -- frames: how a front numbers what it proposes ----------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """A numbered batch of commands of one front, the unit that is sent again until it is answered.

    The state applies each (front, seq) once and remembers its outcomes until `lowest`, the lowest
    number that the front still waits for, has passed it.
    """

    front: str
    seq: int
    lowest: int
    commands: tuple[bytes, ...]


def encode_frame(frame: Frame) -> bytes:
    return _pack((frame.front, frame.seq, frame.lowest, frame.commands))


def decode_frame(data: bytes) -> Frame:
    """The frame of these bytes; raises UnknownRecordError."""
    row = _unpack(data)
    if len(row) != 4:
        raise UnknownRecordError(f"a frame has 4 fields, not {len(row)}")
    front, seq, lowest, packed = row
    if type(front) is not str or type(seq) is not int or type(lowest) is not int or type(packed) is not tuple:
        raise UnknownRecordError("a frame is text, two numbers and a list of commands")
    if not all(type(command) is bytes for command in packed):
        raise UnknownRecordError("a frame with a command that is not bytes")
    return Frame(front, seq, lowest, packed)
