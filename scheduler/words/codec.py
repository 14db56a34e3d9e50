"""Versioned bytes of commands, outcomes and events: msgpack arrays `[tag, field, …]`.

Rules of this file:

1. Fields are positional and only appended, with defaults. A reader fills missing ones from the defaults and
   refuses surplus ones: they belong to a newer `format`.
2. How a record is written, read and checked follows from its fields' types (`record`), and is done in C. What
   that refuses is read again, slowly, for the words of the refusal (`unreadable`).
3. A field that came after the oldest format is left out while it has its default, so what needs no newer
   format has the bytes that older nodes know, in the log and in the state's hash.
4. What needs a newer format than the state's is not proposed (`needs`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, Union

import msgspec

from scheduler.words import commands, events
from scheduler.words.commands import Command
from scheduler.words.events import Event
from scheduler.words.outcomes import Outcome
from scheduler.words.record import Record, newer_fields, parts
from scheduler.words.unreadable import MisshapenError as MisshapenError
from scheduler.words.unreadable import NewerRecordError as NewerRecordError
from scheduler.words.unreadable import UnknownRecordError as UnknownRecordError
from scheduler.words.unreadable import judge

R = TypeVar("R", bound=Record)
Told = list[tuple[int, int, Event]]
"""Events with the index of their command and their number within it."""


class Frame(Record, frozen=True):
    """A numbered batch of commands of one front, the unit that is sent again until it is answered.

    The state applies each (front, seq) once and remembers its outcomes until `lowest`, the lowest
    number that the front still waits for, has passed it.
    """

    front: str
    seq: int
    lowest: int
    commands: tuple[bytes, ...]


encode = msgspec.msgpack.Encoder().encode
"""Any plain data and any record, as it is. Nothing of it runs Python: a call is one step for all threads."""


def reader_of(record: type[R]) -> Callable[[bytes], R]:
    """Reads one of these that `encode` packed by itself: for a part of a command that is kept as it is."""
    return msgspec.msgpack.Decoder(record).decode


_COMMAND = msgspec.msgpack.Decoder(Union[commands.ALL])  # noqa: UP007 of a tuple of types
_EVENT: Any = Union[events.ALL]  # noqa: UP007 as above
_EVENTS = msgspec.msgpack.Decoder(list[tuple[int, int, _EVENT]])
_OUTCOMES = msgspec.msgpack.Decoder(list[Outcome])
_FRAME = msgspec.msgpack.Decoder(Frame)


# -- commands -------------------------------------------------------------------------------------


def needs(command: Command) -> int:
    """The lowest format of the state in which this command may stand in the log."""
    needed = command.since_format
    for name, default, format in newer_fields(type(command)):
        if getattr(command, name) != default:
            needed = max(needed, format)
    return needed


def encode_command(command: Command) -> bytes:
    return encode(_row(command) if _has_newer(type(command)) else command)


@functools.cache
def _has_newer(cls: type[Record]) -> bool:
    """Whether it, or a record in it, has fields that came after the oldest format."""
    return bool(newer_fields(cls)) or any(map(_has_newer, parts(cls).values()))


def _row(record: Record) -> list[Any]:
    """The record without the newer fields that have their defaults."""
    tag = record.__struct_config__.tag
    places = parts(type(record))
    values = [
        [_row(item) for item in value] if value and place in places else value
        for place, value in enumerate(msgspec.structs.astuple(record))
    ]
    for _, default, _ in reversed(newer_fields(type(record))):
        if values[-1] != default:
            break
        values.pop()
    return values if tag is None else [tag, *values]


def decode_command(data: bytes) -> Command:
    """The command of these bytes. Raises UnknownRecordError for what is none, NewerRecordError for one of a
    newer format, MisshapenError for one with a field of a wrong type: it depends on the bytes alone."""
    try:
        command: Command = _COMMAND.decode(data)
    except Exception:  # whatever it stumbles over
        return judge(data)
    return command


# -- events and outcomes --------------------------------------------------------------------------


def encode_events(events: Sequence[tuple[int, int, Event]]) -> bytes:
    return encode(events)


def decode_events(data: bytes) -> Told:
    """What `encode_events` packed; raises UnknownRecordError."""
    try:
        told: Told = _EVENTS.decode(data)
    except Exception as error:  # of many types, for malformed bytes
        raise UnknownRecordError(f"not events: {error!r:.200}") from error
    return told


def encode_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    return encode(outcomes)


def decode_outcomes(data: bytes) -> list[Outcome]:
    """What `encode_outcomes` packed; raises UnknownRecordError."""
    try:
        return _OUTCOMES.decode(data)
    except Exception as error:  # of many types, for malformed bytes
        raise UnknownRecordError(f"not outcomes: {error!r:.200}") from error


# -- frames: how a front numbers what it proposes ----------------------------------------------


def encode_frame(frame: Frame) -> bytes:
    return encode(frame)


def decode_frame(data: bytes) -> Frame:
    """The frame of these bytes; raises UnknownRecordError."""
    try:
        return _FRAME.decode(data)
    except Exception as error:  # of many types, for malformed bytes
        raise UnknownRecordError(f"not a frame: {error!r:.200}") from error
