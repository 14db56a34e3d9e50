"""One agent's token with many sockets and large frames: nobody else waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import websockets

from api.agents import bounds as agent_bounds
from api.agents import conversation, gateway, newcomers
from api.agents.hello import KIND_LETTERS_MAX, KINDS_MAX, LABELS_MAX, unsound_hello
from api.agents.large_frames import SMALL_BYTES, LargeFrames
from api.agents.newcomers import Newcomers
from api.app import Api
from scheduler import protocol as p
from scheduler.words.commands import PutToken
from tests.api.served import DEADLINE_S, HandAgent, served, session
from tests.api.single_node import SingleNode

TEXT = "😀" * agent_bounds.LETTERS_MAX


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


class Waiting:
    """A socket that waits for its place."""

    def __init__(self) -> None:
        self.reads = False

    def read_on(self) -> None:
        self.reads = True


def test_a_token_has_half_of_the_places_and_those_who_wait_have_turns_by_token() -> None:
    frames = LargeFrames(4)
    mine, others = [Waiting() for _ in range(5)], [Waiting() for _ in range(4)]

    assert [frames.ask(each, "mine") for each in mine] == [True, True, False, False, False]
    assert [frames.ask(each, "others") for each in others] == [True, True, False, False]

    frames.leave(mine[0], "mine")
    frames.leave(others[0], "others")
    assert [each.reads for each in mine] == [False, False, True, False, False]
    assert [each.reads for each in others] == [False, False, True, False]
    frames.leave(mine[3], "mine")
    for each in (*mine, *others):
        frames.leave(each, "mine" if each in mine else "others")
    assert (frames.reading, frames.waiting) == (0, 0)
    assert not mine[3].reads, "it went before its turn"


def test_the_largest_sound_hello_fits_in_the_first_frame() -> None:
    held = tuple((agent_bounds.COUNT_MAX - n, "running") for n in range(agent_bounds.HELD_MAX))
    labels = {f"{TEXT[:-3]}{n:03}": TEXT for n in range(LABELS_MAX)}
    texts: dict[str, Any] = dict.fromkeys(
        ("name", "boot_id", "zone", "pool", "software", "cluster", "cloud_id", "lineage"), TEXT
    )
    hello = dataclasses.replace(
        HandAgent("http://nobody").unsigned(), held=held, labels=labels, proof=b"p" * 64,
        kinds=(TEXT[:KIND_LETTERS_MAX],) * KINDS_MAX, **texts,
    )  # fmt: skip
    frame = p.encode([hello])
    assert unsound_hello(hello) is None
    assert len(frame) <= p.HELLO_BYTES_MAX
    assert p.decode(frame, values_max=p.FRAME_VALUES_MAX) == [hello]


async def test_a_first_frame_larger_than_any_hello_is_refused_by_its_head(url: str) -> None:
    async with HandAgent(url) as agent:
        await agent.challenged()
        assert agent.socket is not None
        with contextlib.suppress(websockets.ConnectionClosed):
            await agent.socket.send(bytes(p.HELLO_BYTES_MAX + 1))
        await agent.until_closed()
        assert agent.socket.close_code == 1009


async def test_after_its_hello_an_agents_frames_may_be_larger(url: str) -> None:
    async with HandAgent(url) as agent:
        assert isinstance(await agent.hello(), p.Welcome)
        tails = [p.Finished(n, n, 1, 2, 1, "exit", None, "", bytes(1 << 20)) for n in range(3)]
        await agent.send(*tails)
        ack = await agent.expect(p.Ack)
        assert isinstance(ack, p.Ack)
        assert ack.events == (0, 1, 2)


async def test_of_many_large_frames_few_are_read_at_once_and_all_are_answered(
    url: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "HELLO_S", DEADLINE_S)  # what it takes to judge eight is the machine's
    frames = api.services.gateway.frames = LargeFrames(4)
    most = 0

    async def told(number: int) -> None:
        async with HandAgent(url, name=f"agent-{number}") as agent:
            held = tuple((n, "gone") for n in range(agent_bounds.HELD_MAX))
            assert isinstance(await agent.hello(held=held), p.Welcome)

    async def look() -> None:
        nonlocal most
        while True:
            most = max(most, frames.reading)
            assert sum(frames._of_token.values()) == frames.reading
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await asyncio.gather(*[told(number) for number in range(8)])
    looking.cancel()
    assert most in (1, 2), "half of the places for one token"
    await until(lambda: (frames.reading, frames.waiting) == (0, 0))


async def test_half_sent_frames_hold_no_more_than_their_tokens_places(
    url: str, api: Api, node: SingleNode
) -> None:
    """Its other sockets are not read; another token's agent has its large Hello taken meanwhile."""
    node.apply(PutToken("evil", hashlib.sha256(b"evil").digest(), "agent"))
    frames = api.services.gateway.frames = LargeFrames(4)
    size = p.HELLO_BYTES_MAX
    half = b"\x82\xff" + size.to_bytes(8, "big") + bytes(4) + bytes(size // 2)
    async with contextlib.AsyncExitStack() as stack:
        for number in range(20):
            agent = HandAgent(url, token="evil", name=f"evil-{number}")
            await stack.enter_async_context(agent)
            assert agent.socket is not None
            agent.socket.transport.write(half)
        await until(lambda: frames.waiting == 18)
        assert frames.reading == 2
        async with HandAgent(url) as good:
            held = tuple((n, "gone") for n in range(agent_bounds.HELD_MAX))
            assert len(p.encode([good.unsigned(held=held)])) > SMALL_BYTES
            assert isinstance(await good.hello(held=held), p.Welcome)
        for session in list(api.services.gateway._open):
            session.abandon()
    await until(lambda: (frames.reading, frames.waiting) == (0, 0))


async def test_who_waits_for_a_place_is_not_called_silent(url: str, api: Api) -> None:
    services = api.services.gateway
    frames = services.frames = LargeFrames(2)
    size = p.HELLO_BYTES_MAX
    async with HandAgent(url, name="slow") as slow, HandAgent(url, name="waits") as waits:
        assert slow.socket is not None
        slow.socket.transport.write(b"\x82\xff" + size.to_bytes(8, "big") + bytes(4) + bytes(size // 2))
        await until(lambda: frames.reading == 1)
        held = tuple((n, "gone") for n in range(agent_bounds.HELD_MAX))
        hello = asyncio.create_task(waits.hello(held=held))
        await until(lambda: frames.waiting == 1)
        services._cut_off_silent(time.monotonic() + 3_600)
        await slow.until_closed()
        assert isinstance(await hello, p.Welcome)


async def test_a_token_of_one_agent_has_a_few_sockets_and_the_silent_ones_go_for_new_ones(
    url: str, api: Api, node: SingleNode
) -> None:
    node.apply(PutToken("web-1", hashlib.sha256(b"own").digest(), "agent", holder="web-1"))
    async with contextlib.AsyncExitStack() as stack:
        first = HandAgent(url, token="own", name="web-1")
        await stack.enter_async_context(first)
        assert isinstance(await first.hello(), p.Welcome)
        silent = [HandAgent(url, token="own", name="web-1") for _ in range(gateway.BOUND_SOCKETS_MAX + 4)]
        for each in silent:
            await stack.enter_async_context(each)

        await silent[0].until_closed()
        assert len(api.services.gateway._bound["web-1"]) == gateway.BOUND_SOCKETS_MAX
        await first.send(p.Ping(1, 0))
        assert isinstance(await first.expect(p.Pong, p.Leave), p.Pong), "who said Hello stays"
        assert isinstance(await silent[-1].hello(session=session(2)), p.Welcome), "it may always come back"
    await until(lambda: not api.services.gateway._bound)


async def test_new_agents_come_at_a_bounded_rate_and_known_ones_at_any(url: str, api: Api) -> None:
    now_s = 0.0
    api.services.gateway.newcomers = Newcomers(lambda: now_s)
    agents = [HandAgent(url, name=f"agent-{number}") for number in range(newcomers.BURST + 1)]
    for agent in agents[:-1]:
        async with agent:
            assert isinstance(await agent.hello(), p.Welcome)

    async with HandAgent(url, name=agents[-1].name) as late:
        refused = await late.hello()
        assert isinstance(refused, p.Leave)
        assert "try again later" in refused.detail
    for known in agents[:5]:
        async with HandAgent(url, name=known.name) as again:
            again.session = session(2)
            assert isinstance(await again.hello(), p.Welcome)

    now_s = 1 / newcomers.RATE_PER_S
    async with agents[-1] as late:
        assert isinstance(await late.hello(), p.Welcome)


def test_each_token_has_a_rate_of_its_own_and_few_are_remembered() -> None:
    now_s = 0.0
    rate = Newcomers(lambda: now_s)
    assert all(rate.why_not_now("greedy") is None for _ in range(newcomers.BURST))
    assert rate.why_not_now("greedy") is not None
    for number in range(3 * newcomers.TOKENS_MAX):
        now_s += 1 / newcomers.RATE_PER_S
        assert rate.why_not_now(f"token-{number}") is None
    assert len(rate._left) <= newcomers.TOKENS_MAX + 1


@pytest.mark.parametrize(
    "frame",
    [
        b"\x89\x80abcd",
        b"\x8a\x80abcd",
        b"\x00\x81abcdx",
        b"\x82\x81\x00\x00\x00\x00\x90",
    ],
)
async def test_a_flood_of_the_smallest_frames_ends_its_socket_before_it_is_all_looked_at(
    url: str, frame: bytes
) -> None:
    async with HandAgent(url) as good, HandAgent(url, name="rogue") as rogue:
        assert isinstance(await good.hello(), p.Welcome)
        assert isinstance(await rogue.hello(), p.Welcome)
        assert rogue.socket is not None
        begun = b"\x02\x81abcdx" if frame[0] == 0 else b""
        rogue.socket.transport.write(begun + frame * ((1 << 20) // len(frame)))
        await rogue.until_closed()
        await good.send(p.Ping(1, 0))
        assert isinstance(await good.expect(p.Pong, p.Leave), p.Pong)


async def test_pings_that_came_together_are_answered_with_turns_for_others_between(url: str) -> None:
    async with HandAgent(url) as agent:
        assert isinstance(await agent.hello(), p.Welcome)
        assert agent.socket is not None
        for number in range(500):
            await agent.send(p.Ping(number, 0))
        for number in range(500):
            pong = await agent.expect(p.Pong, p.Leave)
            assert isinstance(pong, p.Pong)
            assert pong.sent_ms == number
