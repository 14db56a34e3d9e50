"""Bytes of commands, events and frames: what went in comes out; what this version cannot read is refused."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import codec, commands, events

COMMANDS = sorted(codec.COMMAND_TAGS, key=lambda cls: cls.__name__)
EVENTS = sorted(codec.EVENT_TAGS, key=lambda cls: cls.__name__)
INTEGERS = st.integers(-(1 << 62), 1 << 62)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    int: INTEGERS,
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    bool: st.booleans(),
    int | None: st.none() | INTEGERS,
    tuple[tuple[str, int, int], ...]: st.lists(
        st.tuples(st.text(max_size=8), INTEGERS, INTEGERS), max_size=3
    ).map(tuple),
    tuple[int, ...]: st.lists(INTEGERS, max_size=3).map(tuple),
    tuple[tuple[int, str], ...]: st.lists(st.tuples(INTEGERS, st.text(max_size=8)), max_size=3).map(tuple),
}


def records(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Any record of this class, fields drawn by their declared types."""
    hints = typing.get_type_hints(cls)
    fields = {}
    for field in dataclasses.fields(cls):
        kind = hints[field.name]
        if kind == tuple[commands.JobSeed, ...]:
            fields[field.name] = st.lists(records(commands.JobSeed), max_size=2).map(tuple)
        elif kind == tuple[commands.TriggerSeed, ...]:
            fields[field.name] = st.lists(records(commands.TriggerSeed), max_size=2).map(tuple)
        elif kind == tuple[commands.RanAttempt, ...]:
            fields[field.name] = st.lists(records(commands.RanAttempt), max_size=2).map(tuple)
        else:
            fields[field.name] = VALUES[kind]
    return st.builds(cls, **fields)


@given(st.sampled_from(COMMANDS).flatmap(records))
def test_every_command_comes_back_as_it_was(command: commands.Command) -> None:
    assert codec.decode_command(codec.encode_command(command)) == command


@given(st.lists(st.tuples(INTEGERS, st.integers(0, 9), st.sampled_from(EVENTS).flatmap(records)), max_size=5))
def test_every_event_comes_back_with_its_place(told: list[tuple[int, int, events.Event]]) -> None:
    assert codec.decode_events(codec.encode_events(told)) == told


def test_all_commands_and_events_have_a_tag_of_their_own() -> None:
    assert set(codec.COMMAND_TAGS) == set(typing.get_args(commands.Command))
    assert set(codec.EVENT_TAGS) == set(typing.get_args(events.Event))
    for tags in (codec.COMMAND_TAGS, codec.EVENT_TAGS):
        assert len(set(tags.values())) == len(tags)


def test_fields_that_an_older_writer_left_out_get_their_defaults() -> None:
    row = msgpack.unpackb(codec.encode_command(commands.Lead("n", "z", 3)))
    assert codec.decode_command(msgpack.packb(row[:-1])) == commands.Lead("n", "z", 3, "")


@dataclasses.dataclass(frozen=True, slots=True)
class LaterPause:
    """PauseJob as a later version might have it."""

    namespace: str
    name: str
    actor: str = ""
    until_ms: int = dataclasses.field(default=0, metadata={"format": 2})
    why: str = dataclasses.field(default="", metadata={"format": 3})


def test_what_needs_no_newer_format_has_the_bytes_that_older_nodes_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(codec.COMMAND_TAGS, LaterPause, codec.COMMAND_TAGS[commands.PauseJob])
    monkeypatch.setitem(codec._VALUES, LaterPause, codec._getter(LaterPause))
    monkeypatch.setitem(codec._NEWER, LaterPause, codec._newer(LaterPause))
    older = commands.PauseJob("ns", "j", "ada")
    plain: Any = LaterPause("ns", "j", "ada")
    assert codec.encode_command(plain) == codec.encode_command(older)
    assert codec.needs(plain) == 1
    until: Any = LaterPause("ns", "j", "ada", until_ms=7)
    assert codec.needs(until) == 2
    with pytest.raises(codec.UnknownRecordError, match="PauseJob"):
        codec.decode_command(codec.encode_command(until))
    why: Any = LaterPause("ns", "j", "ada", why="audit")
    assert codec.needs(why) == 3
    assert msgpack.unpackb(codec.encode_command(why))[-2:] == [0, "audit"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgpack.packb(7),
        msgpack.packb([]),
        msgpack.packb([9999]),
        msgpack.packb([codec.COMMAND_TAGS[commands.Barrier], "surplus"]),
        msgpack.packb([codec.COMMAND_TAGS[commands.Lead], "too few"]),
    ],
)
def test_what_is_no_command_of_this_version_is_refused(data: bytes) -> None:
    with pytest.raises(codec.UnknownRecordError):
        codec.decode_command(data)


@pytest.mark.parametrize(
    "data", [b"\xc1", msgpack.packb(7), msgpack.packb([[1, 0, 9999]]), msgpack.packb([[1]])]
)
def test_what_is_no_event_of_this_version_is_refused(data: bytes) -> None:
    with pytest.raises(codec.UnknownRecordError):
        codec.decode_events(data)


@given(st.text(max_size=10), st.integers(0, 1 << 60), st.lists(st.binary(max_size=50), max_size=5))
def test_frames_come_back_as_they_were(front: str, seq: int, packed: list[bytes]) -> None:
    frame = codec.Frame(front, seq, seq // 2, tuple(packed))
    assert codec.decode_frame(codec.encode_frame(frame)) == frame


@given(st.lists(st.text(max_size=10), max_size=5))
def test_outcomes_come_back_as_they_were(codes: list[str]) -> None:
    outcomes = [commands.Outcome(code, "why", {"run": 7}) for code in codes]
    assert codec.decode_outcomes(codec.encode_outcomes(outcomes)) == outcomes
