"""Versioned bytes of commands, outcomes and events: msgpack arrays `[tag, field, …]`.

Rules of this file:

1. A tag is never reused; fields are positional and only appended, with defaults. A reader fills missing ones
   from the defaults and refuses surplus ones: they belong to a newer `format`.
2. A command that came after the oldest format is named in COMMAND_FORMATS; a field that did says so in its
   metadata (`field(default=…, metadata={"format": 2})`). Such a field is left out while it has its default,
   so what needs no newer format has the bytes that older nodes know, in the log and in the state's hash.
3. What needs a newer format than the state's is not proposed (`needs`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgpack

from scheduler import commands as c
from scheduler import events as e

COMMAND_TAGS: dict[type[Any], int] = {
    c.PutJobs: 1,
    c.DeleteJob: 2,
    c.PauseJob: 3,
    c.ResumeJob: 4,
    c.RunJob: 5,
    c.CancelRun: 6,
    c.ResolveRun: 7,
    c.PutToken: 8,
    c.Activate: 9,
    c.RedeemToken: 10,
    c.DeleteToken: 11,
    c.OpenSession: 12,
    c.CloseSession: 13,
    c.LimitTicks: 14,
    c.ConnectAgent: 20,
    c.DisconnectAgent: 21,
    c.Start: 22,
    c.ReportRunning: 23,
    c.Finish: 24,
    c.Adopt: 25,
    c.ReleaseAgent: 26,
    c.Fire: 40,
    c.Account: 41,
    c.Assign: 42,
    c.Revoke: 43,
    c.Requeue: 44,
    c.MarkUnreachable: 45,
    c.Lose: 46,
    c.ExpireRun: 47,
    c.StopRun: 48,
    c.LoseNode: 49,
    c.Purge: 50,
    c.Sweep: 51,
    c.Migrate: 52,
    c.EndHold: 53,
    c.GiveUpRun: 54,
    c.EndRestore: 55,
    c.Continue: 56,
    c.SetAside: 57,
    c.Lead: 60,
    c.Barrier: 61,
    c.Compare: 62,
}

COMMAND_FORMATS: dict[type[Any], int] = {}
"""The format that a command came with, for those that did not come with the first."""

EVENT_TAGS: dict[type[Any], int] = {
    e.Led: 1,
    e.JobPut: 2,
    e.JobDeleted: 3,
    e.JobPaused: 4,
    e.JobResumed: 5,
    e.TickDecided: 6,
    e.RunCreated: 7,
    e.TaskQueued: 8,
    e.AttemptAssigned: 9,
    e.AttemptGranted: 10,
    e.AttemptRunning: 11,
    e.AttemptCancelling: 12,
    e.AttemptUnreachable: 13,
    e.AttemptEnded: 14,
    e.RunStarted: 15,
    e.RunEnded: 16,
    e.AgentConnected: 17,
    e.AgentDisconnected: 18,
    e.NodeLost: 19,
    e.FormatActivated: 20,
    e.FormatRaised: 21,
    e.TokenWithdrawn: 22,
    e.SessionClosed: 23,
    e.AgentReleased: 24,
}


class UnknownRecordError(ValueError):
    """Bytes that this version cannot read: an unknown tag, surplus fields or no msgpack at all."""


def _names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(cls))


def _getter(cls: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """All fields of a record as a tuple, read in C: this is done several times for each tick."""
    names = _names(cls)
    if len(names) > 1:
        return attrgetter(*names)
    return lambda record: tuple(getattr(record, name) for name in names)


def _newer(cls: type[Any]) -> tuple[tuple[str, Any, int], ...]:
    """Name, default and format of the fields that came after the first format: the last ones."""
    fields = [f for f in dataclasses.fields(cls) if "format" in f.metadata]
    return tuple((f.name, f.default, f.metadata["format"]) for f in fields)


_FIELDS: dict[type[Any], tuple[str, ...]] = {cls: _names(cls) for cls in COMMAND_TAGS}
_VALUES: dict[type[Any], Callable[[Any], tuple[Any, ...]]] = {
    cls: _getter(cls) for cls in (*COMMAND_TAGS, *EVENT_TAGS, c.TriggerSeed, c.RanAttempt)
}
_NEWER = {cls: newer for cls in _VALUES if (newer := _newer(cls))}
_COMMANDS: dict[int, type[Any]] = {tag: cls for cls, tag in COMMAND_TAGS.items()}
_EVENTS: dict[int, type[Any]] = {tag: cls for cls, tag in EVENT_TAGS.items()}


def field_count(tag: int) -> int | None:
    """How many fields a command of this tag may have; None: the tag is unknown."""
    cls = _COMMANDS.get(tag)
    return None if cls is None else len(_FIELDS[cls])


def needs(command: c.Command) -> int:
    """The lowest format of the state in which this command may stand in the log."""
    kind = type(command)
    needed = COMMAND_FORMATS.get(kind, 1)
    for name, default, format in _NEWER.get(kind, ()):
        if getattr(command, name) != default:
            needed = max(needed, format)
    return needed


def _row(record: Any) -> tuple[Any, ...]:
    row = _VALUES[type(record)](record)
    for _, default, _ in reversed(_NEWER.get(type(record), ())):
        if row[-1] != default:
            break
        row = row[:-1]
    return row


def _pack(row: Sequence[Any]) -> bytes:
    packed: bytes = msgpack.packb(row, use_bin_type=True)
    return packed


def _unpack(data: bytes) -> list[Any]:
    try:
        row = msgpack.unpackb(data, raw=False, use_list=True, strict_map_key=False)
    except Exception as error:
        raise UnknownRecordError(f"not a record: {error}") from error
    if not isinstance(row, list) or not row:
        raise UnknownRecordError("not a record: expected a non-empty array")
    return row


def encode_command(command: c.Command) -> bytes:
    tag = COMMAND_TAGS[type(command)]
    if isinstance(command, c.PutJobs):
        jobs = [
            [j.namespace, j.name, j.spec, [_row(t) for t in j.triggers], j.if_revision] for j in command.jobs
        ]
        return _pack([tag, jobs, *_row(command)[1:]])
    if isinstance(command, c.Adopt):
        *head, attempts, last, running = _row(command)
        return _pack([tag, *head, [_row(ran) for ran in attempts], last, running])
    return _pack((tag, *_row(command)))


def decode_command(data: bytes) -> c.Command:
    """The command of these bytes; raises UnknownRecordError."""
    row = _unpack(data)
    cls = _COMMANDS.get(row[0]) if type(row[0]) is int else None
    if cls is None:
        raise UnknownRecordError(f"unknown command tag {row[0]!r:.100}")
    try:
        return _build(cls, _nested(cls, row[1:]))  # type: ignore[no-any-return]  # the tags map to commands
    except UnknownRecordError:
        raise
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise UnknownRecordError(f"{cls.__name__}: {error!r:.200}") from error


def _nested(cls: type[Any], fields: list[Any]) -> list[Any]:
    """The fields of a command with the records and tuples that are in them."""
    if cls is c.PutJobs:
        fields[0] = tuple(
            c.JobSeed(j[0], j[1], j[2], tuple(c.TriggerSeed(*t) for t in j[3]), *j[4:]) for j in fields[0]
        )
    elif cls is c.ConnectAgent and len(fields) > 10:
        fields[10] = tuple((int(h[0]), str(h[1])) for h in fields[10])
    elif cls is c.Adopt and len(fields) > 5:
        fields[5] = tuple(c.RanAttempt(*ran) for ran in fields[5])
        fields[7:] = [tuple(attempts) for attempts in fields[7:]]
    elif cls is c.Continue and len(fields) > 1:
        fields[1] = tuple(fields[1])
    elif cls is c.Activate and len(fields) > 1:
        fields[1] = tuple((str(m[0]), int(m[1]), int(m[2])) for m in fields[1])
    return fields


def encode_events(events: Sequence[tuple[int, int, e.Event]]) -> bytes:
    """Events with the index of their command and their number within it."""
    return _pack([(index, n, EVENT_TAGS[type(event)], *_row(event)) for index, n, event in events])


def decode_events(data: bytes) -> list[tuple[int, int, e.Event]]:
    """What `encode_events` packed; raises UnknownRecordError."""
    try:
        rows = msgpack.unpackb(data, raw=False, use_list=False, strict_map_key=False)
        return [(row[0], row[1], _build(_EVENTS[row[2]], row[3:])) for row in rows]
    except Exception as error:  # msgpack raises many types for malformed bytes
        raise UnknownRecordError(f"not events: {error!r:.200}") from error


def _build(cls: type[Any], fields: Sequence[Any]) -> Any:
    try:
        return cls(*fields)
    except TypeError as error:
        raise UnknownRecordError(f"{cls.__name__}: {error}") from error


def encode_outcomes(outcomes: list[c.Outcome]) -> bytes:
    return _pack([[o.code, o.detail, o.value] for o in outcomes])


def decode_outcomes(data: bytes) -> list[c.Outcome]:
    """What `encode_outcomes` packed; raises UnknownRecordError."""
    try:
        rows = msgpack.unpackb(data, raw=False, strict_map_key=False)
        return [c.Outcome(code, detail, value) for code, detail, value in rows]
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
    return _pack([frame.front, frame.seq, frame.lowest, list(frame.commands)])


def decode_frame(data: bytes) -> Frame:
    """The frame of these bytes; raises UnknownRecordError."""
    row = _unpack(data)
    if len(row) != 4:
        raise UnknownRecordError(f"a frame has 4 fields, not {len(row)}")
    front, seq, lowest, packed = row
    if type(front) is not str or type(seq) is not int or type(lowest) is not int or type(packed) is not list:
        raise UnknownRecordError("a frame is text, two numbers and a list of commands")
    if not all(type(command) is bytes for command in packed):
        raise UnknownRecordError("a frame with a command that is not bytes")
    return Frame(front, seq, lowest, tuple(packed))
