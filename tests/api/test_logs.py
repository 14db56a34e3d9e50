"""Whose output a reply is, where in it, and what is missing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest

from api.app import Api
from scheduler import protocol as p
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.store.tables import agents as agent_rows
from scheduler.words.commands import Command
from scheduler.words.commands.agents import ConnectAgent
from scheduler.words.commands.attempts import Finish, Grant
from scheduler.words.commands.runs import CancelRun
from scheduler.words.commands.tasks import Place, Wake
from tests.api.served import DEADLINE_S, HandAgent, served
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.scheduler.story import KINDS

OUTPUT = bytes(range(256)) * 10
RETRY = {"max": 1, "first": "1ms", "cap": "1ms", "backoff": "constant"}


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


def must(node: SingleNode, command: Command) -> dict[str, Any]:
    outcome = node.apply(command)[0]
    assert outcome.ok, outcome
    return dict(outcome.value or {})


def away(node: SingleNode) -> int:
    """An agent that the state knows and nobody can ask."""
    hello = ConnectAgent(
        name="agent-1", installation="i", session="s", boot_id="b", zone="zone-a", pool="default",
        labels=b"{}", slots=4, version="0.1.0", node="node-1", kinds=KINDS,
    )  # fmt: skip
    return int(must(node, hello)["agent"])


async def a_run(client: httpx2.AsyncClient, **fields: Any) -> int:
    await client.put("/v1/jobs/job", json={"run": "echo hi", **fields})
    return int((await client.post("/v1/jobs/job/runs", json={})).json()["id"])


def newest(node: SingleNode, run: int) -> int:
    with node.read() as store:
        return attempt_reads.of_runs(store, [run])[-1].attempt.id


async def claimed(agent: HandAgent, node: SingleNode, run: int) -> int:
    """The run's newest attempt, which this agent claims and may start."""
    attempt = newest(node, run)
    await agent.send(p.Claim(attempt, "c"))
    await agent.expect(p.Grant)
    return attempt


def started(node: SingleNode, run: int, agent: int) -> int:
    """The run's newest attempt, with its grant."""
    attempt = newest(node, run)
    must(node, Grant(attempt, agent, "s", "c"))
    return attempt


def told(headers: Mapping[str, str]) -> list[str | None]:
    names = ("log-source", "attempt", "log-offset", "log-bytes", "log-missing")
    return [headers.get(f"x-cronclave-{name}") for name in names]


def tried_again(node: SingleNode, run: int, agent: int) -> int:
    """The next attempt of the run's task, assigned."""
    with node.read() as store:
        task = task_reads.of_runs(store, [run])[0]
    must(node, Wake(node.status().epoch, task.id, task.wake_ms or 0))
    return int(must(node, Place(node.status().epoch, task.id, agent))["attempt"])


@pytest.mark.parametrize(
    ("offset", "sent", "missing"),
    [
        (0, OUTPUT[-100:], "0-2459"),
        (2_459, OUTPUT[-100:], "2459-2459"),
        (2_460, OUTPUT[-100:], None),
        (2_500, OUTPUT[2_500:], None),
        (2_559, OUTPUT[-1:], None),
        (2_560, b"", None),
    ],
)
async def test_a_stored_end_stands_at_its_true_place(
    client: httpx2.AsyncClient, node: SingleNode, offset: int, sent: bytes, missing: str | None
) -> None:
    agent = away(node)
    run = await a_run(client)
    attempt = started(node, run, agent)
    must(node, Finish(attempt, agent, 1, 2, 0, "exit", tail=OUTPUT[-100:], output_bytes=len(OUTPUT)))

    reply = await client.get(f"/v1/runs/{run}/logs?offset={offset}")

    assert (reply.status_code, reply.content) == (200, sent)
    assert told(reply.headers) == ["tail", "1", str(max(offset, 2_460)), "2560", missing]


async def test_a_place_behind_the_end_is_refused(client: httpx2.AsyncClient, node: SingleNode) -> None:
    agent = away(node)
    run = await a_run(client)
    attempt = started(node, run, agent)
    must(node, Finish(attempt, agent, 1, 2, 0, "exit", tail=b"end", output_bytes=50))

    reply = await client.get(f"/v1/runs/{run}/logs?offset=51")

    assert reply.status_code == 422
    assert "the output of attempt 1 has 50 bytes" in reply.json()["detail"]


@pytest.mark.parametrize("ended", [False, True])
async def test_output_that_nobody_here_knows_is_said_to_be_missing(
    client: httpx2.AsyncClient, node: SingleNode, ended: bool
) -> None:
    agent = away(node)
    run = await a_run(client)
    attempt = started(node, run, agent)
    if ended:
        must(node, Finish(attempt, agent, 1, 2, None, "gone", detail="its spooler died"))

    reply = await client.get(f"/v1/runs/{run}/logs?offset=7")

    assert (reply.status_code, reply.content) == (200, b"")
    assert told(reply.headers) == ["tail", "1", "7", None, "7-"]


async def test_what_an_agent_has_swept_comes_from_the_stored_end(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as agent:
        welcome = await agent.hello()
        assert isinstance(welcome, p.Welcome)
        run = await a_run(client)
        attempt = await claimed(agent, node, run)
        await agent.send(p.Finished(1, attempt, 1, 2, 0, "exit", None, "", b"end", 50))
        await agent.expect(p.Ack)
        reading = asyncio.create_task(client.get(f"/v1/runs/{run}/logs"))
        asked = await agent.expect(p.TailRequest)
        assert isinstance(asked, p.TailRequest)
        await agent.send(p.TailChunk(asked.request, b"", True, 0))
        reply = await reading
    assert reply.content == b"end"
    assert told(reply.headers) == ["tail", "1", "47", "50", "0-46"]


async def test_a_follower_goes_from_one_attempt_to_the_next(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    agent = away(node)
    run = await a_run(client, retry=RETRY)
    first = started(node, run, agent)
    must(node, Finish(first, agent, 1, 2, 1, "exit", tail=b"x" * 52, output_bytes=52))
    of_first = await client.get(f"/v1/runs/{run}/logs?follow=true")
    assert told(of_first.headers)[1:4] == ["1", "0", "52"]

    waiting = asyncio.create_task(client.get(f"/v1/runs/{run}/logs?follow=true&after_attempt=1"))
    await asyncio.sleep(0)
    second = tried_again(node, run, agent)
    must(node, Grant(second, agent, "s", "c"))
    must(node, Finish(second, agent, 1, 2, 0, "exit", tail=b"two\nlines\n", output_bytes=10))

    reply = await asyncio.wait_for(waiting, DEADLINE_S)
    assert reply.content == b"two\nlines\n"
    assert told(reply.headers) == ["tail", "2", "0", "10", None]
    # There will be no third.
    last = await client.get(f"/v1/runs/{run}/logs?follow=true&after_attempt=2")
    assert (last.content, told(last.headers)[:2]) == (b"", ["none", None])
    # A place of the first is none in the second.
    assert (await client.get(f"/v1/runs/{run}/logs?offset=52")).status_code == 422
    assert (await client.get(f"/v1/runs/{run}/logs?offset=52&attempt=1")).content == b""
    assert (await client.get(f"/v1/runs/{run}/logs?attempt=1&after_attempt=1")).status_code == 422


async def test_who_follows_a_run_that_waits_is_answered_at_its_end_or_when_asked(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    run = await a_run(client)
    short = await client.get(f"/v1/runs/{run}/logs?follow=true&wait=1ms")
    assert (short.status_code, told(short.headers)[0]) == (200, "none")

    waiting = asyncio.create_task(client.get(f"/v1/runs/{run}/logs?follow=true"))
    await asyncio.sleep(0)
    must(node, CancelRun(run))

    reply = await asyncio.wait_for(waiting, DEADLINE_S)
    assert (reply.status_code, reply.content, told(reply.headers)[0]) == (200, b"", "none")


async def test_who_follows_an_agent_that_went_away_is_answered_when_it_is_back(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as agent:
        welcome = await agent.hello()
        assert isinstance(welcome, p.Welcome)
        run = await a_run(client)
        attempt = await claimed(agent, node, run)
    async with asyncio.timeout(DEADLINE_S):
        while _node_of(node, welcome.agent):
            await asyncio.sleep(0.005)
    waiting = asyncio.create_task(client.get(f"/v1/runs/{run}/logs?follow=true&offset=3"))
    async with HandAgent(url) as agent:
        await agent.hello(held=((attempt, "running"),))
        asked = await agent.expect(p.TailRequest)
        assert isinstance(asked, p.TailRequest)
        assert asked.offset == 3
        await agent.send(p.TailChunk(asked.request, b"world", True, 8))
        reply = await asyncio.wait_for(waiting, DEADLINE_S)
    assert (reply.content, told(reply.headers)) == (b"world", ["agent", "1", "3", "8", None])


def _node_of(node: SingleNode, agent: int) -> str:
    with node.read() as store:
        row = agent_rows.get(store, agent)
    assert row is not None
    return row.node


async def test_a_stream_that_cannot_go_on_breaks_off(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    """It ended in good order: the rest of the output was lost in silence."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=DEADLINE_S) as real:
        async with HandAgent(url) as agent:
            await agent.hello()
            run = await a_run(client)
            await claimed(agent, node, run)
            reading = asyncio.create_task(real.get(f"/v1/runs/{run}/logs?follow=true"))
            asked = await agent.expect(p.TailRequest)
            assert isinstance(asked, p.TailRequest)
            await agent.send(p.TailChunk(asked.request, b"hello ", False, 6))
            await agent.expect(p.TailRequest)
        with pytest.raises(httpx2.HTTPError):
            await reading


async def test_an_agent_that_goes_away_before_its_first_word_leaves_the_stored_end(
    url: str, node: SingleNode
) -> None:
    """The request ended with it, without a reply."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=DEADLINE_S) as real:
        async with HandAgent(url) as agent:
            await agent.hello()
            run = await a_run(real)
            attempt = await claimed(agent, node, run)
            await agent.send(p.Finished(1, attempt, 1, 2, 0, "exit", None, "", b"end", 3))
            await agent.expect(p.Ack)
            reading = asyncio.create_task(real.get(f"/v1/runs/{run}/logs"))
            await agent.expect(p.TailRequest)
        reply = await reading
    assert (reply.status_code, reply.content) == (200, b"end")
