"""Whatever an agent says: it is sent away with the reason, or what is proposed for it can be applied."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.agents import bounds as agent_bounds
from api.agents import commands, recount
from api.agents.hello import KIND_LETTERS_MAX, KINDS_MAX, unsound_hello
from api.app import Api
from scheduler import protocol as p
from scheduler.words import codec, sizes
from scheduler.words.commands import Adopt, Command
from tests.api.served import HandAgent, served
from tests.api.single_node import SingleNode

ODD_INTEGERS = [0, 1, -1, 1 << 31, 1 << 32, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, (1 << 64) - 1, -(1 << 63)]
ODD_INTEGERS += [253_370_764_799_999, 253_370_764_800_000, 1_800_000_000_000]
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(ODD_INTEGERS)
    | st.floats()
    | st.sampled_from(["", "exit", "gone", "running", "x" * 255, "x" * 256, "😀" * 255])
    | st.sampled_from([b"", b"t" * 100, b"t" * (17 << 10)]),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=6,
)
SOUND: dict[Any, st.SearchStrategy[Any]] = {
    int: st.sampled_from([0, 1, 7]),
    str: st.sampled_from(["", "exit", "words"]),
    bytes: st.sampled_from([b"", b"t" * (17 << 10), b"t" * (2 << 20)]),
    bool: st.booleans(),
    int | None: st.none() | st.sampled_from([0, 1, 7]),
    dict[str, str]: st.just({}) | st.just({"a": "b"}),
}


def messages(cls: type[Any]) -> st.SearchStrategy[Any]:
    """A sound one, of which up to two fields are anything."""
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    sound = st.builds(cls, **{name: SOUND.get(hints[name], st.just(())) for name in names})
    changes = st.dictionaries(st.sampled_from(names), st.sampled_from(ODD_INTEGERS) | ODD, max_size=2)
    return st.builds(lambda message, changed: dataclasses.replace(message, **changed), sound, changes)


def as_received(message: Any) -> p.Message | None:
    """What a node reads of these bytes; None: it is no frame."""
    try:
        return p.decode(p.encode([message]))[0]
    except (p.ProtocolError, ValueError, TypeError, OverflowError):
        return None


def need_applicable(command: Command) -> None:
    """It fits in the log, and the machine finds no fault with its types and ranges."""
    encoded = sizes.written(command)
    assert isinstance(encoded, bytes), encoded
    assert codec.decode_command(encoded) == command


SESSION_NAME = p.session_name(1, "0" * 16)


@pytest.mark.parametrize("cls", [p.Claim, p.Running, p.Finished])
def test_what_is_proposed_for_an_agent_can_be_applied(cls: type[Any]) -> None:
    @given(messages(cls))
    def of_any(message: Any) -> None:
        received = as_received(message)
        if received is None or agent_bounds.why_unsound(received) is not None:
            return
        assert isinstance(received, p.Claim | p.Running | p.Finished)
        need_applicable(commands.of_work(received, 7, SESSION_NAME))

    of_any()


@given(st.sampled_from([p.Ping, p.TailChunk, p.Goodbye, p.Ran, *p.TAGS]).flatmap(messages))
def test_every_message_is_judged_without_an_exception(message: Any) -> None:
    reason = agent_bounds.why_unsound(message)
    assert reason is None or len(reason) < 300


@given(messages(p.Hello))
def test_a_sound_hello_becomes_a_command_that_can_be_applied(hello: p.Hello) -> None:
    named = dataclasses.replace(
        hello, version=p.VERSION, session=SESSION_NAME, key=b"k" * 32, proof=b"p" * 64
    )
    received = as_received(named)
    if not isinstance(received, p.Hello) or unsound_hello(received) is not None:
        return
    need_applicable(commands.of_hello(received, "n" * 128, received.held))


def test_the_largest_sound_hello_fits_in_a_command() -> None:
    text = "😀" * agent_bounds.LETTERS_MAX
    labels = {text[:-3] + f"{n:03}": text for n in range(100)}
    held = tuple((agent_bounds.COUNT_MAX - n, "running") for n in range(agent_bounds.HELD_MAX))
    hello = p.Hello(
        p.VERSION, text, text, SESSION_NAME, text, text, text, labels, 1, text, 1, text, 1, held, text, text,
        1, b"k" * 32, b"p" * 64, (text[:KIND_LETTERS_MAX],) * KINDS_MAX,
    )  # fmt: skip
    assert unsound_hello(hello) is None
    need_applicable(commands.of_hello(hello, "n" * 128, hello.held))
    assert unsound_hello(dataclasses.replace(hello, held=(*held, (1, "gone")))) is not None


def test_the_largest_page_of_a_recount_fits_in_commands() -> None:
    text = "😀" * agent_bounds.LETTERS_MAX
    most, late = agent_bounds.COUNT_MAX, agent_bounds.INSTANT_MS_MAX - 1
    row = (most, most, *[text] * 4, most, most, late, late, True, late, late, 1, text, 1, text)
    told = p.Ran(0, (row,) * recount.AT_ONCE, False, (most,) * agent_bounds.HELD_MAX)
    assert agent_bounds.why_unsound(told) is None
    rows = recount._rows(told)
    assert rows is not None
    need_applicable(Adopt(1, text, text, text, text, tuple(rows), True, told.running))
    assert recount._rows(dataclasses.replace(told, attempts=((*row[:-1], 7),))) is None


@given(st.lists(ODD, max_size=16))
def test_rows_of_a_recount_are_judged_without_an_exception(row: list[Any]) -> None:
    recount._rows(p.Ran(0, (tuple(row),), False))


@pytest.mark.parametrize(
    ("code", "kept"), [(0, p.TAIL_SUCCESS_BYTES), (1, p.TAIL_FAILURE_BYTES), (None, p.TAIL_FAILURE_BYTES)]
)
def test_output_is_cut_to_its_last_bytes_and_detail_to_its_first_letters(code: int | None, kept: int) -> None:
    told = p.Finished(1, 1, 1, 2, code, "exit", None, "d" * 9_000, b"a" * kept + b"z" * kept)
    cut = agent_bounds.cut(told)
    assert cut.tail == b"z" * kept
    assert cut.detail == "d" * 500
    short = dataclasses.replace(told, detail="d", tail=b"t")
    assert agent_bounds.cut(short) is short


def test_every_field_of_every_message_of_an_agent_has_bounds() -> None:
    said = [cls for cls, tag in p.TAGS.items() if tag < p.TAGS[p.Welcome] and cls is not p.Hello]
    assert set(agent_bounds._FIELDS) == set(said)
    for cls in said:
        assert set(agent_bounds._FIELDS[cls]) == {field.name for field in dataclasses.fields(cls)}


def test_a_frame_of_too_many_messages_is_none() -> None:
    claim = [p.TAGS[p.Claim], 1, "c"]
    assert len(p.decode(msgpack.packb([claim] * p.FRAME_MESSAGES_MAX))) == p.FRAME_MESSAGES_MAX
    with pytest.raises(p.ProtocolError, match="1001 messages"):
        p.decode(msgpack.packb([claim] * (p.FRAME_MESSAGES_MAX + 1)))


def array(values: list[bytes]) -> bytes:
    return b"\xdd" + len(values).to_bytes(4, "big") + b"".join(values)


@pytest.mark.parametrize(
    "frame",
    [
        array([b"\x90"] * (p.FRAME_BYTES_MAX - 5)),
        array([array([b"\x90"] * 40_000)] * 100),
        array([array([b"\x01"] * 40_000)] * 100),
        array([array([b"\x80"] * 40_000)] * 100),
        array([array([b"\x91\x90"] * 40_000)] * 50),
        array([array([b"\xd4\x01\x01"] * 1_000)] * 1_000),
        array([array([b"\xd6\xff\x01\x01\x01\x01"] * 1_000)] * 600),
    ],
    ids=["lists", "nested", "numbers", "maps", "deep", "extensions", "instants"],
)
def test_a_frame_of_too_many_values_is_refused_before_they_are_made(frame: bytes) -> None:
    """As one frame of 4 MiB they kept the front's loop for more than a second: its leader lost the office."""
    assert len(frame) <= p.FRAME_BYTES_MAX
    with pytest.raises(p.ProtocolError, match=r"values|exceeds|extension"):
        p.decode(frame, values_max=p.FRAME_VALUES_MAX)


def test_the_largest_hello_and_the_largest_page_of_what_ran_are_taken() -> None:
    held = tuple((agent_bounds.COUNT_MAX - n, "running") for n in range(agent_bounds.HELD_MAX))
    texts = {str(n): "x" * agent_bounds.LETTERS_MAX for n in range(100)}
    hello = dataclasses.replace(HandAgent("http://nobody").unsigned(), held=held, labels=texts)
    row = tuple(range(12))
    ran = p.Ran(1, (row,) * p.RAN_ROWS_MAX, False, tuple(range(agent_bounds.HELD_MAX)))
    for message in (hello, ran):
        assert p.decode(p.encode([message]), values_max=p.FRAME_VALUES_MAX) == [message]


# ---- over the socket


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


@pytest.mark.parametrize(
    "message",
    [
        p.Claim(1, "c" * 256),
        p.Claim(True, "c"),
        p.Running(1, 1, -1),
        p.Finished(1, 1, 1, 1 << 62, 0, "exit", None, "", b""),
        p.Finished(1, 1, 1, 2, 0, "exit", None, 7, b""),  # type: ignore[arg-type]  # as bytes may say it
        p.Ping(1, -1),
        p.Ping(1, "x"),  # type: ignore[arg-type]  # as bytes may say it
        p.TailChunk(1, "text", False, 1),  # type: ignore[arg-type]  # as bytes may say it
        p.Ran(0, (), False),
        p.Welcome(1, "c", 0, 1, "n", ()),
    ],
    ids=lambda message: type(message).__name__,
)
async def test_an_agent_out_of_bounds_is_sent_away_alone(
    url: str, node: SingleNode, client: httpx2.AsyncClient, message: p.Message
) -> None:
    async with HandAgent(url, name="sound") as sound, HandAgent(url, name="rogue") as rogue:
        assert isinstance(await sound.hello(), p.Welcome)
        assert isinstance(await rogue.hello(), p.Welcome)
        before = node.index
        await rogue.send(message)
        heard = await rogue.until_closed()
        if not isinstance(message, p.Ran):  # it has its time; said later it ends the talk
            leave = next(m for m in heard if isinstance(m, p.Leave))
            assert leave.reason == "refused"
            assert type(message).__name__ in leave.detail
        await sound.send(p.Ping(1, before))
        assert isinstance(await sound.expect(p.Pong), p.Pong)
    assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"slots": -1}, {"index": 1 << 63}, {"name": 7}, {"version": "x" * 1_000_000}, {"labels": {"a": 1}},
        {"kinds": ("k" * 65,)}, {"kinds": ("k",) * 129}, {"kinds": ("shell.nice",)},
        {"kinds": ("shell", "shell.")}, {"kinds": (7,)}, {"kinds": "shell"},
        {"held": ((1, "lives"),)}, {"held": ((-1, "gone"),)}, {"held": ("ab",)}, {"restores": 1.5},
    ],
)  # fmt: skip
async def test_a_hello_out_of_bounds_is_refused_with_the_reason(url: str, fields: dict[str, Any]) -> None:
    async with HandAgent(url) as agent:
        answer = await agent.hello(**fields)
        assert isinstance(answer, p.Leave)
        assert answer.reason == "refused"
        assert 0 < len(answer.detail) < 500
