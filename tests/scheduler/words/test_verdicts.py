"""Whatever bytes come: what reads commands fast makes of them what a slow and plain reader does."""

from __future__ import annotations

import functools
import random
import typing
from typing import Any

import msgpack
import msgspec
import pytest

from scheduler.words import codec
from scheduler.words.record import COMMANDS, Record
from tests.fuzz import Mutator, Target
from tests.scheduler.words import reference

INPUTS = 120  #: for each command
EDGES = (0, 32, 33, 127, 128, 129, 255, 256, 65_535, 65_536, 1 << 31, 1 << 32, (1 << 62) - 1, 1 << 62)
ODD_INTEGERS = (1, 1 << 63, (1 << 64) - 1, -(1 << 63), *EDGES, *(-edge for edge in EDGES))
TEXTS = ("", "a", "x" * 31, "x" * 32, "x" * 255, "x" * 256, "x" * 70_000, "ä€😀", "\0")


def value(hint: Any, rng: random.Random) -> Any:
    """One of this type, as msgpack has it."""
    if hint is int:
        return rng.choice(ODD_INTEGERS)
    if hint is str:
        return rng.choice(TEXTS)
    if hint is bytes:
        return rng.choice(TEXTS).encode()
    if hint is bool:
        return rng.random() < 0.5
    arguments = typing.get_args(hint)
    if type(None) in arguments:
        return None if rng.random() < 0.3 else value(arguments[0], rng)
    if typing.get_origin(hint) is tuple:
        if arguments[-1] is Ellipsis:
            return [value(arguments[0], rng) for _ in range(rng.randrange(3))]
        return [value(part, rng) for part in arguments]
    return row(hint, rng)


@functools.cache
def required(cls: type[Record]) -> int:
    return sum(field.required for field in msgspec.structs.fields(cls))


def row(cls: type[Record], rng: random.Random) -> list[Any]:
    fields = [value(hint, rng) for hint in reference.hints(cls).values()]
    return fields[: rng.randrange(required(cls), len(fields) + 1)]


def verdict(data: bytes) -> tuple[str, Any]:
    """As `reference.verdict`, of the product's decoder."""
    try:
        command = codec.decode_command(data)
    except codec.NewerRecordError:
        return reference.NEWER, None
    except codec.UnknownRecordError:
        return reference.NO_COMMAND, None
    except codec.MisshapenError as error:
        return str(error), None
    return type(command).__name__, reference.plain(command)


def inputs(tag: int, rng: random.Random) -> list[bytes]:
    mutator = Mutator(rng)
    found = []
    for _ in range(INPUTS):
        sound = [tag, *row(COMMANDS[tag], rng)]
        found.append(msgpack.packb(sound, use_bin_type=True))
        found.append(mutator.inputs(Target("a command", codec.decode_command, ValueError, [sound])))
    return found


@pytest.mark.parametrize("tag", sorted(COMMANDS), ids=lambda tag: COMMANDS[tag].__name__)
def test_the_fast_reader_and_the_plain_one_are_of_one_mind(tag: int) -> None:
    seen = set()
    for data in inputs(tag, random.Random(tag)):
        expected = reference.verdict(data)
        assert verdict(data) == expected, data.hex()
        seen.add("a refusal" if expected[1] is None else "a command")
    assert seen == {"a refusal", "a command"}


@pytest.mark.parametrize("tag", sorted(COMMANDS), ids=lambda tag: COMMANDS[tag].__name__)
def test_a_command_is_written_as_msgpack_writes_the_array_of_its_values(tag: int) -> None:
    rng = random.Random(tag)
    for _ in range(INPUTS):
        data = msgpack.packb([tag, *row(COMMANDS[tag], rng)], use_bin_type=True)
        name, values = reference.verdict(data)
        if values is not None:
            assert codec.encode_command(codec.decode_command(data)) == msgpack.packb([tag, *values]), name


def test_the_words_of_a_refusal_are_those_of_the_plain_reader() -> None:
    whole = msgpack.packb([6, 7, ["ada"]])
    told = {
        msgpack.packb([6, 7, ["ada"], 1]): reference.NEWER,
        msgpack.packb([99_999]): reference.NEWER,
        msgpack.packb([True, 1]): reference.NO_COMMAND,
        msgpack.packb([6]): reference.NO_COMMAND,
        msgpack.packb([6, "seven", ["ada"]]): "CancelRun.run has a wrong type",
        msgpack.packb([6, 1 << 62, ["ada"]]): "CancelRun.run has a wrong type",
        msgpack.packb([6, 7, [b"ada"]]): "CancelRun.actor has a wrong type",
        whole + b"\0": reference.NO_COMMAND,
        whole[:-1]: reference.NO_COMMAND,
        b"": reference.NO_COMMAND,
    }
    assert {data: verdict(data)[0] for data in told} == told
