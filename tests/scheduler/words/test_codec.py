"""Bytes of commands, events and frames: what went in comes out; what this version cannot read is refused."""

from __future__ import annotations

import dataclasses
import pkgutil
import typing
from importlib import import_module
from typing import Any, ClassVar

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.machine import dispatch
from scheduler.words import codec, commands, events, record
from scheduler.words.outcomes import Code, Outcome

COMMANDS = sorted(commands.ALL, key=lambda cls: cls.__name__)
EVENTS = sorted(events.ALL, key=lambda cls: cls.__name__)
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
    tuple[str, ...]: st.lists(st.text(max_size=8), max_size=3).map(tuple),
    tuple[tuple[int, str], ...]: st.lists(st.tuples(INTEGERS, st.text(max_size=8)), max_size=3).map(tuple),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    item = next(iter(typing.get_args(hint)), None)
    return st.lists(records(item), max_size=2).map(tuple) if dataclasses.is_dataclass(item) else VALUES[hint]


def records(cls: Any) -> st.SearchStrategy[Any]:
    """Any record of this class, fields drawn by their declared types."""
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{field.name: values(hints[field.name]) for field in dataclasses.fields(cls)})


@given(st.sampled_from(COMMANDS).flatmap(records))
def test_every_command_comes_back_as_it_was(command: commands.Command) -> None:
    assert codec.decode_command(codec.encode_command(command)) == command


@given(st.lists(st.tuples(INTEGERS, st.integers(0, 9), st.sampled_from(EVENTS).flatmap(records)), max_size=5))
def test_every_event_comes_back_with_its_place(told: list[tuple[int, int, events.Event]]) -> None:
    assert codec.decode_events(codec.encode_events(told)) == told


def classes(package: Any, base: type[Any]) -> set[type[Any]]:
    """What the modules of this package define under that base."""
    modules = [import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    found = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    return {each for each in found if issubclass(each, base) and each.__module__.startswith(package.__name__)}


def test_every_command_and_event_is_given_out_by_its_package_and_can_be_applied() -> None:
    assert set(commands.ALL) == classes(commands, commands.Command) == set(dispatch.APPLY)
    assert set(events.ALL) == classes(events, events.Event)


def test_a_tag_is_given_out_once() -> None:
    with pytest.raises(ValueError, match="Again has the tag of PauseJob"):

        @record.command(commands.PauseJob.tag)
        class Again(record.ByPerson):
            pass

    assert record.COMMANDS[commands.PauseJob.tag] is commands.PauseJob


def test_who_decides_a_command_is_known_and_the_planner_says_under_which_epoch() -> None:
    deciders = (record.ByPerson, record.ByAgent, record.ByPlanner, record.ByRunner, record.ByCore)
    for cls in commands.ALL:
        assert sum(issubclass(cls, decider) for decider in deciders) == 1, cls
        fields = [field.name for field in dataclasses.fields(cls)]
        assert ("epoch" in fields[:1]) == issubclass(cls, record.ByPlanner), cls
        assert ({"key", "body"} <= set(fields)) == issubclass(cls, record.Keyed), cls


def test_fields_that_an_older_writer_left_out_get_their_defaults() -> None:
    row = msgpack.unpackb(codec.encode_command(commands.Lead("n", "z", 3)))
    assert codec.decode_command(msgpack.packb(row[:-1])) == commands.Lead("n", "z", 3, "")


@dataclasses.dataclass(frozen=True, slots=True)
class LaterPause:
    """PauseJob as a later version might have it."""

    tag: ClassVar[int] = commands.PauseJob.tag
    since_format: ClassVar[int] = 1

    namespace: str
    name: str
    actor: str = ""
    until_ms: int = dataclasses.field(default=0, metadata={"format": 2})
    why: str = dataclasses.field(default="", metadata={"format": 3})


def test_what_needs_no_newer_format_has_the_bytes_that_older_nodes_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(codec._COMMAND_ROWS, LaterPause, codec.writer(LaterPause, "tag"))
    monkeypatch.setitem(codec._NEWER, LaterPause, codec.newer_fields(LaterPause))
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
        msgpack.packb([commands.Barrier.tag, "surplus"]),
        msgpack.packb([commands.Lead.tag, "too few"]),
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


@given(st.lists(st.sampled_from(Code), max_size=5))
def test_outcomes_come_back_as_they_were(codes: list[Code]) -> None:
    outcomes = [Outcome(code, "why", {"run": 7}) for code in codes]
    assert codec.decode_outcomes(codec.encode_outcomes(outcomes)) == outcomes


def test_an_outcome_of_an_unknown_code_is_refused() -> None:
    with pytest.raises(codec.UnknownRecordError):
        codec.decode_outcomes(msgpack.packb([["unheard_of", "", None]]))


def test_what_cannot_be_written_leaves_nothing_behind_in_what_is_written_next() -> None:
    told = codec.encode_command(commands.CancelRun(7, "ada"))
    for run in (1 << 70, object()):
        with pytest.raises((OverflowError, TypeError)):
            codec.encode_command(commands.CancelRun(run, "ada"))  # type: ignore[arg-type]  # no run at all
    assert codec.encode_command(commands.CancelRun(7, "ada")) == told
