"""Bytes of commands, events and frames: what went in comes out; what this version cannot read is refused."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Annotated, Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.machine import dispatch
from scheduler.words import codec, commands, events, record
from scheduler.words.outcomes import Code, Outcome
from tests.scheduler.words.reference import hints, item_of

COMMANDS = sorted(commands.ALL, key=lambda cls: cls.__name__)
EVENTS = sorted(events.ALL, key=lambda cls: cls.__name__)
INTEGERS = st.integers(1 - record.INTEGER_LIMIT, record.INTEGER_LIMIT - 1)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    int: INTEGERS,
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    bool: st.booleans(),
    bool | None: st.none() | st.booleans(),
    int | None: st.none() | INTEGERS,
    str | None: st.none() | st.text(max_size=20),
    tuple[tuple[str, int, int], ...]: st.lists(
        st.tuples(st.text(max_size=8), INTEGERS, INTEGERS), max_size=3
    ).map(tuple),
    tuple[tuple[int, int], ...]: st.lists(st.tuples(INTEGERS, INTEGERS), max_size=3).map(tuple),
    tuple[int, ...]: st.lists(INTEGERS, max_size=3).map(tuple),
    tuple[str, ...]: st.lists(st.text(max_size=8), max_size=3).map(tuple),
    tuple[str, ...] | None: st.none() | st.lists(st.text(max_size=8), max_size=3).map(tuple),
    tuple[str, str, str] | None: st.none() | st.tuples(*[st.text(max_size=8)] * 3),
    tuple[tuple[str, str, str], ...]: st.lists(st.tuples(*[st.text(max_size=8)] * 3), max_size=3).map(tuple),
    tuple[tuple[str, str, str, str], ...]: st.lists(
        st.tuples(*[st.text(max_size=8)] * 4), max_size=3
    ).map(tuple),
    tuple[tuple[int, str], ...]: st.lists(st.tuples(INTEGERS, st.text(max_size=8)), max_size=3).map(tuple),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    if isinstance(hint, type) and issubclass(hint, record.Record):
        return records(hint)
    item = item_of(hint)
    return st.lists(records(item), max_size=2).map(tuple) if item else VALUES[hint]


def records(cls: Any) -> st.SearchStrategy[Any]:
    """Any record of this class, fields drawn by their declared types."""
    return st.builds(cls, **{name: values(hint) for name, hint in hints(cls).items()})


# Made at once: a type that VALUES does not know is an error of each run, not of the one that draws it.
A_COMMAND = st.one_of([records(cls) for cls in COMMANDS])
AN_EVENT = st.one_of([records(cls) for cls in EVENTS])


@given(A_COMMAND)
def test_every_command_comes_back_as_it_was(command: commands.Command) -> None:
    assert codec.decode_command(codec.encode_command(command)) == command


@given(st.lists(st.tuples(INTEGERS, st.integers(0, 9), AN_EVENT), max_size=5))
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
        fields = cls.__struct_fields__
        assert ("epoch" in fields[:1]) == issubclass(cls, record.ByPlanner), cls
        assert ({"key", "body"} <= set(fields)) == issubclass(cls, record.Keyed), cls


def test_fields_that_an_older_writer_left_out_get_their_defaults() -> None:
    row = msgpack.unpackb(codec.encode_command(commands.Lead("n", "z", 3)))
    assert codec.decode_command(msgpack.packb(row[:-1])) == commands.Lead("n", "z", 3, "")


class LaterResume(record.ByPerson, tag=commands.ResumeJob.tag, frozen=True):
    """ResumeJob as a later version might have it."""

    namespace: str
    name: str
    actor: record.Actor = record.NOBODY
    until_ms: Annotated[int, record.since(2)] = 0
    why: Annotated[str, record.since(3)] = ""


LaterResume.since_format = 1


class LaterHost(record.Record, frozen=True):
    name: str
    zone: Annotated[str, record.since(2)] = ""


class LaterPauses(record.ByPerson, tag=99_999, frozen=True):
    """A command with a record that a later version added to."""

    hosts: tuple[LaterHost, ...]
    actor: record.Actor = record.NOBODY


def test_what_needs_no_newer_format_has_the_bytes_that_older_nodes_know() -> None:
    older = commands.ResumeJob("ns", "j", commands.Actor("ada"))
    plain: Any = LaterResume("ns", "j", commands.Actor("ada"))
    assert codec.encode_command(plain) == codec.encode_command(older)
    assert codec.needs(plain) == 1
    until: Any = LaterResume("ns", "j", commands.Actor("ada"), until_ms=7)
    assert codec.needs(until) == 2
    with pytest.raises(codec.NewerRecordError):
        codec.decode_command(codec.encode_command(until))
    why: Any = LaterResume("ns", "j", commands.Actor("ada"), why="audit")
    assert codec.needs(why) == 3
    assert msgpack.unpackb(codec.encode_command(why))[-2:] == [0, "audit"]


def test_a_record_within_a_command_leaves_its_newer_fields_out_too() -> None:
    packed = codec.encode_command(LaterPauses((LaterHost("a"), LaterHost("b", "z")), commands.Actor("ada")))
    assert msgpack.unpackb(packed) == [99_999, [["a"], ["b", "z"]], ["ada", "", False]]


def test_what_a_decorator_makes_of_a_class_knows_what_came_later() -> None:
    later = record._made(LaterResume, 99_998)
    assert record.newer_fields(later) == (("until_ms", 0, 2), ("why", "", 3))
    assert msgspec.structs.fields(later)[:3] == msgspec.structs.fields(commands.ResumeJob)


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
    told = codec.encode_command(commands.CancelRun(7, commands.Actor("ada")))
    for run in (1 << 70, object()):
        with pytest.raises((OverflowError, TypeError)):
            codec.encode_command(commands.CancelRun(run, commands.Actor("ada")))  # type: ignore[arg-type]  # no run at all
    assert codec.encode_command(commands.CancelRun(7, commands.Actor("ada"))) == told
