"""A registered agent that lies: what is not its own is refused without a commit, and nobody is harmed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import msgpack
import pytest

from api.app import Api
from scheduler import protocol as p
from scheduler.store.reads import tasks as task_reads
from scheduler.words.commands import Place
from tests.api.served import HandAgent, served
from tests.api.single_node import SingleNode
from tests.api.test_gateway import a_run, assign


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


async def welcomed(agent: HandAgent) -> int:
    welcome = await agent.hello()
    assert isinstance(welcome, p.Welcome), welcome
    return welcome.agent


async def test_claims_and_reports_for_anothers_attempt_change_nothing_and_cost_no_commit(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as good, HandAgent(url, name="rogue") as rogue:
        mine = await welcomed(good)
        run = await a_run(client)
        attempt = assign(node, run, mine)
        await good.send(p.Claim(attempt, "claim-1"))
        assert isinstance(await good.expect(p.Grant, p.Refuse), p.Grant)
        await welcomed(rogue)
        index = node.index

        await rogue.send(
            p.Claim(attempt, "claim-1"),
            p.Running(1, attempt, 5),
            p.Finished(2, attempt, 1, 2, 0, "exit", None, "", b"forged"),
            p.TailChunk(1, b"forged", True, 6),
        )

        assert await rogue.expect(p.Refuse) == p.Refuse(attempt, "claim-1", "superseded")
        ack = await rogue.expect(p.Ack)
        assert isinstance(ack, p.Ack)
        assert ack.events == (1, 2), "it gets rid of them"
        assert node.index == index
        await good.send(p.Finished(3, attempt, 1, 2, 7, "exit", None, "", b"mine"))
        await good.expect(p.Ack)
    read = (await client.get(f"/v1/runs/{run}")).json()
    assert read["exit_code"] == 7


async def test_a_flood_of_claims_for_attempts_that_nobody_has_costs_no_commit(
    url: str, node: SingleNode
) -> None:
    async with HandAgent(url) as good, HandAgent(url, name="rogue") as rogue:
        await welcomed(good)
        await welcomed(rogue)
        index = node.index

        for frame in range(20):
            await rogue.send(*[p.Claim(1_000_000 + frame * 500 + n, "c") for n in range(500)])
        for _ in range(10_000):
            assert isinstance(await rogue.expect(p.Refuse, p.Leave), p.Refuse)

        assert node.index == index
        await good.send(p.Ping(1, 0))
        assert isinstance(await good.expect(p.Pong, p.Leave), p.Pong)


async def test_what_this_node_has_not_heard_of_yet_is_the_agents_all_the_same(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    """The attempt was assigned through another node a moment ago: unknown is not refused."""
    run = await a_run(client)
    with node.read() as store:
        task = task_reads.of_runs(store, [run])[0]
    async with HandAgent(url) as agent:
        mine = await welcomed(agent)
        attempt = node.machine.state.last_attempt + 1
        node.unheard.append(Place(node.machine.state.epoch, task.id, mine))

        await agent.send(p.Claim(attempt, "claim-1"))

        assert isinstance(await agent.expect(p.Grant, p.Refuse), p.Grant)


@pytest.mark.parametrize(
    "message",
    [
        p.Welcome(1, "c", 0, 1, "n", ()),
        p.Grant(1, "c", 1, 1),
        p.Assign(1, 1, "j", "d", "t", "", 0, 1, None, 0, {}, None, 0, False, 0),
        p.Ack((1,), 1),
        p.Leave("fenced"),
        p.Cancel(1),
        p.Challenge(b"x" * 32),
        p.Ran(0, (), False),
    ],
    ids=lambda message: type(message).__name__,
)
async def test_a_nodes_own_words_are_not_taken_from_an_agent(url: str, message: p.Message) -> None:
    async with HandAgent(url) as good, HandAgent(url, name="rogue") as rogue:
        await welcomed(good)
        await welcomed(rogue)
        await rogue.send(message)
        assert any(isinstance(m, p.Leave) for m in await rogue.until_closed()) or isinstance(message, p.Ran)
        await good.send(p.Ping(1, 0))
        assert isinstance(await good.expect(p.Pong, p.Leave), p.Pong)


@pytest.mark.parametrize(
    "row",
    [
        [2, 1 << 63, "claim"],
        [2, -1, "claim"],
        [3, 1, 1, 1 << 63],
        [4, (1 << 64) - 1, 1, None, 0, 0, "exit", None, "", b""],
        [4, 1, 1, -(1 << 63), 0, 0, "exit", None, "", b""],
        [5, 1, 1 << 63, 0],
        [6, 1, -7, b"", True, 0],
        [1, "again"],
        [99],
        [[]],
        {},
    ],
    ids=str,
)
async def test_numbers_and_shapes_beyond_all_bounds_close_that_socket_alone(url: str, row: object) -> None:
    async with HandAgent(url) as good, HandAgent(url, name="rogue") as rogue:
        await welcomed(good)
        await welcomed(rogue)
        assert rogue.socket is not None
        await rogue.socket.send(msgpack.packb([row]))
        assert any(isinstance(m, p.Leave) and m.reason == "refused" for m in await rogue.until_closed())
        await good.send(p.Ping(1, 0))
        assert isinstance(await good.expect(p.Pong, p.Leave), p.Pong)
