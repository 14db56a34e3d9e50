"""The agents' socket, real server and client: claim before start, what is pushed, and who is sent away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import websockets

from api.agents import socket as agent_session
from api.app import Api
from api.ports import Committed
from scheduler import protocol as p
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import hearers
from scheduler.store.tables.agents import Agent
from scheduler.words import events as e
from scheduler.words.commands import (
    CancelRun,
    ConnectAgent,
    DisconnectAgent,
    FireNotices,
    Place,
    PostNotice,
    Revoke,
)
from tests.api.served import DEADLINE_S, HandAgent, served, session
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.scheduler.story import KINDS


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


async def a_run(client: httpx2.AsyncClient, **fields: Any) -> int:
    await client.put("/v1/jobs/job", json={"run": "echo hi", **fields})
    made = await client.post("/v1/jobs/job/runs", json={})
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    return number


def assign(node: SingleNode, run: int, agent: int) -> int:
    """The attempt that the run was given at once, else what the planner would decide."""
    with node.read() as store:
        given = [each.attempt for each in attempt_reads.of_runs(store, [run])]
        task = task_reads.of_runs(store, [run])[0]
    if given:
        assert given[0].agent == agent
        return given[0].id
    outcome = node.apply(Place(node.machine.state.epoch, task.id, agent))[0]
    assert outcome.ok, outcome
    assert outcome.value is not None
    attempt = outcome.value["attempt"]
    assert isinstance(attempt, int)
    return attempt


async def welcomed(agent: HandAgent) -> p.Welcome:
    welcome = await agent.hello()
    assert isinstance(welcome, p.Welcome)
    return welcome


async def granted(agent: HandAgent, node: SingleNode, client: httpx2.AsyncClient) -> tuple[int, int]:
    """A run whose attempt this agent has claimed and got."""
    welcome = await welcomed(agent)
    run = await a_run(client)
    attempt = assign(node, run, welcome.agent)
    await agent.send(p.Claim(attempt, "c"))
    assert isinstance(await agent.expect(p.Grant, p.Refuse), p.Grant)
    return run, attempt


def connect_to(node: str, agent: HandAgent) -> ConnectAgent:
    return ConnectAgent(
        agent.name, agent.installation, agent.session, "boot-1", "zone-a", "default", b"{}", 4, "1", node,
        KINDS,
    )  # fmt: skip


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def agent_row(node: SingleNode, agent: int) -> Agent:
    with node.read() as store:
        row = agent_rows.get(store, agent)
    assert row is not None
    return row


async def test_a_run_goes_from_assignment_to_acknowledged_end(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        assert welcome.addresses == ("http://127.0.0.1:8321", "http://127.0.0.1:1")
        run = await a_run(client, params={"region": {"type": "string", "default": "eu"}})
        attempt = assign(node, run, welcome.agent)

        work = await agent.expect(p.Assign)
        assert isinstance(work, p.Assign)
        assert (work.attempt, work.job, work.task, work.number) == (attempt, "job", "main", 1)
        assert work.work == {"kind": "shell", "run": "echo hi"}
        assert "eu" not in repr(work)  # nothing that a task is told leaves before its grant

        await agent.send(p.Claim(attempt, "claim-1"))
        grant = await agent.expect(p.Grant, p.Refuse)
        assert isinstance(grant, p.Grant)
        assert grant.environment["CRONCLAVE_RUN"] == str(run)
        assert grant.environment["CRONCLAVE_TICK"] == ""
        assert grant.environment["CRONCLAVE_PARAM_REGION"] == "eu"
        assert grant.fence > 0
        assert grant.index >= grant.fence
        await agent.send(p.Claim(attempt, "claim-1"))
        again = await agent.expect(p.Grant, p.Refuse)
        assert isinstance(again, p.Grant)
        assert again.fence == grant.fence

        await agent.send(p.Finished(9, attempt, 1, 2, 0, "exit", None, "", b"hi\n"))
        ack = await agent.expect(p.Ack)
        assert isinstance(ack, p.Ack)
        assert ack.events == (9,)
        read = (await client.get(f"/v1/runs/{run}")).json()
        assert (read["state"], read["exit_code"]) == ("succeeded", 0)
        assert read["tasks"]["main"]["attempts"][0]["agent"] == "agent-1"
        # A report that is sent again after its end is acknowledged too: the agent must get rid of it.
        await agent.send(p.Finished(10, attempt, 1, 2, 0, "exit", None, "", b"hi\n"))
        assert (await agent.expect(p.Ack)) == p.Ack((10,), node.index)


async def test_what_an_agent_said_last_is_heard_though_nothing_can_be_sent_to_it(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as agent:
        run, attempt = await granted(agent, node, client)
        for number in range(3 * agent_session.FRAMES_A_TURN_MAX):
            await agent.send(p.Ping(number, 0))  # its answer meets a closed connection
        await agent.send(p.Finished(9, attempt, 1, 2, 0, "exit", None, "", b""))
    async with asyncio.timeout(DEADLINE_S):
        while (await client.get(f"/v1/runs/{run}")).json()["state"] != "succeeded":
            await asyncio.sleep(0.01)


async def test_what_was_assigned_before_the_connection_is_pushed_once(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
    await until(lambda: not agent_row(node, welcome.agent).node)
    run = await a_run(client)
    async with HandAgent(url) as agent:
        agent.session = session(2)
        await agent.hello()
        attempt = assign(node, run, welcome.agent)
        assert isinstance(await agent.expect(p.Assign), p.Assign)
    async with HandAgent(url) as agent:
        agent.session = session(3)
        await agent.hello()
        pushed = await agent.expect(p.Assign)
        assert isinstance(pushed, p.Assign)
        assert pushed.attempt == attempt
        node.apply(CancelRun(run))
        await agent.send(p.Ping(1, 0))
        await agent.expect(p.Pong)
        assert [message for message in agent.kept if isinstance(message, p.Assign)] == []


async def test_a_cancelled_attempt_is_stopped_and_a_revoked_one_refused(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        first = assign(node, await a_run(client), welcome.agent)
        await agent.expect(p.Assign)
        node.apply(Revoke(node.machine.state.epoch, first, "moved"))
        refused = await agent.expect(p.Refuse)
        assert isinstance(refused, p.Refuse)
        assert (refused.attempt, refused.reason) == (first, "revoked")
        await agent.send(p.Claim(first, "late"))
        assert (await agent.expect(p.Grant, p.Refuse)) == p.Refuse(first, "late", "revoked")

        run = await a_run(client)
        second = assign(node, run, welcome.agent)
        await agent.expect(p.Assign)
        await agent.send(p.Claim(second, "c"))
        await agent.expect(p.Grant)
        assert (await client.post(f"/v1/runs/{run}/cancel")).status_code == 200
        assert (await agent.expect(p.Cancel)) == p.Cancel(second)


async def test_what_a_newer_tick_terminates_is_stopped_at_once(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        assert (await client.put("/v1/boards/stock", json={"board": "stock"})).is_success
        trigger = {"notice": {"board": "stock"}, "id": "n", "overlap": "terminate_running"}
        attempt = assign(node, await a_run(client, triggers=trigger), welcome.agent)
        await agent.expect(p.Assign)
        await agent.send(p.Claim(attempt, "c"))
        await agent.expect(p.Grant)
        (posted,) = node.apply(PostNotice("default", "stock", "k", 60_000))
        assert posted.ok
        with node.read() as store:
            (due,) = hearers.due(store, node.now_ms(), 1)
        command = FireNotices(node.machine.state.epoch, due.trigger, due.board, due.through)
        assert node.apply(command)[0].ok
        assert (await agent.expect(p.Cancel)) == p.Cancel(attempt, at_once=True)


async def test_no_lease_is_renewed_and_agents_leave_without_a_quorum(url: str, node: SingleNode) -> None:
    async with HandAgent(url) as agent:
        await agent.hello()
        await agent.send(p.Ping(5, node.index))
        pong = await agent.expect(p.Pong)
        assert isinstance(pong, p.Pong)
        assert (pong.sent_ms, pong.renews) == (5, True)
        node.quorum = False
        await agent.send(p.Ping(6, 0))
        rest = await agent.until_closed()
        assert [message.renews for message in rest if isinstance(message, p.Pong)] == [False]
        assert rest[-1] == p.Leave("no_quorum", "this node cannot speak for the cluster now")
    async with HandAgent(url) as agent:
        told = await agent.hello()
        assert isinstance(told, p.Leave)
        assert told.reason == "no_quorum"


async def test_a_node_that_lags_renews_nothing_and_sends_its_agents_away(url: str, node: SingleNode) -> None:
    async with HandAgent(url) as agent:
        await agent.hello()
        node.lag_ms = 1_500
        await agent.send(p.Ping(6, 0))
        rest = await agent.until_closed()
        assert [message.renews for message in rest if isinstance(message, p.Pong)] == [False]
        assert isinstance(rest[-1], p.Leave)
        assert rest[-1].reason == "behind"


async def test_a_node_that_is_behind_the_agent_says_so(
    url: str, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.agents.socket.CATCH_UP_S", 0.05)
    async with HandAgent(url) as agent:
        told = await agent.hello(index=node.index + 10)
        assert isinstance(told, p.Leave)
        assert told.reason == "behind"


async def test_a_node_that_falls_behind_the_agent_answers_nothing(
    url: str, node: SingleNode, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.agents.socket.CATCH_UP_S", 0.05)
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        attempt = assign(node, await a_run(client), welcome.agent)
        await agent.expect(p.Assign)
        # It has seen more, through another node, than this one has applied: its lease is not renewed here,
        # and what it claims is not answered.
        await agent.send(p.Ping(1, node.index + 10), p.Claim(attempt, "c"))
        rest = await agent.until_closed()
        assert [type(message) for message in rest] == [p.Leave]
        assert isinstance(rest[-1], p.Leave)
        assert rest[-1].reason == "behind"


async def test_what_has_no_outcome_is_not_answered_and_may_be_said_again(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        first = assign(node, await a_run(client), welcome.agent)
        second = assign(node, await a_run(client), welcome.agent)
        await agent.send(p.Claim(first, "c"))
        await agent.expect(p.Grant)
        end = p.Finished(9, first, 1, 2, 0, "exit", None, "", b"")
        node.quorum = False
        await agent.send(end, p.Claim(second, "d"), p.Running(10, first, 1), p.Ping(7, 0))
        pong = await agent.expect(p.Pong, p.Ack, p.Grant, p.Refuse)
        assert isinstance(pong, p.Pong)
        node.quorum = True
        await agent.send(end, p.Claim(second, "d"))
        grant = await agent.expect(p.Grant, p.Refuse)
        assert isinstance(grant, p.Grant)
        ack = await agent.expect(p.Ack)
        assert isinstance(ack, p.Ack)
        assert ack.events == (9,)
        assert [type(message) for message in agent.kept if isinstance(message, p.Ack | p.Grant)] == []


async def test_a_newer_session_fences_the_older_one(url: str) -> None:
    async with HandAgent(url) as old, HandAgent(url) as new:
        new.session = session(2)
        await old.hello()
        welcome = await new.hello()
        assert isinstance(welcome, p.Welcome)
        rest = await old.until_closed()
        assert isinstance(rest[-1], p.Leave)
        assert rest[-1].reason == "fenced"


async def test_the_same_session_may_come_back_before_its_old_socket_ends(url: str, node: SingleNode) -> None:
    async with HandAgent(url) as old, HandAgent(url) as new:
        await old.hello()
        welcome = await new.hello()
        assert isinstance(welcome, p.Welcome)
        assert [message for message in await old.until_closed() if isinstance(message, p.Leave)] == []
        await new.send(p.Ping(1, 0))
        await new.expect(p.Pong)
        assert agent_row(node, welcome.agent).node == "node-1"


async def test_an_agent_that_the_state_gave_up_registers_again(url: str, node: SingleNode) -> None:
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        node.apply(DisconnectAgent(welcome.agent, agent.session, "node-1"))
        rest = await agent.until_closed()
        assert isinstance(rest[-1], p.Leave)
        assert rest[-1].reason == "behind"


async def test_an_event_from_before_the_registration_does_not_end_the_new_connection(
    url: str, api: Api, node: SingleNode
) -> None:
    """Commits are heard after outcomes: the end of the agent's former connection comes late."""
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        before = node.index - 1
        stale: list[e.Event] = [
            e.AgentDisconnected(welcome.agent, "agent-1", "zone-a", "node-1", agent.session),
            e.AgentConnected(welcome.agent, "agent-1", "zone-a", "default", "node-2", agent.session),
        ]
        api.services.gateway.on_commit(
            Committed(before, 1, [(before, n, event) for n, event in enumerate(stale)])
        )
        await agent.send(p.Ping(1, 0))
        await agent.expect(p.Pong)
        assert agent_row(node, welcome.agent).node == "node-1"


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_socket_that_the_state_does_not_know_is_closed_though_its_event_was_lost(
    url: str, node: SingleNode, elsewhere: bool
) -> None:
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        subscriptions, node.subscriptions = node.subscriptions, set()
        node.apply(DisconnectAgent(welcome.agent, agent.session, "node-1"))
        if elsewhere:
            node.apply(connect_to("node-2", agent))
        node.subscriptions = subscriptions
        left = [m.reason for m in await agent.until_closed() if isinstance(m, p.Leave)]
        assert left == ([] if elsewhere else ["behind"])
    assert agent_row(node, welcome.agent).node == ("node-2" if elsewhere else "")


async def test_after_a_gap_in_the_commits_the_state_is_asked_who_is_here(
    url: str, api: Api, node: SingleNode
) -> None:
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        subscriptions, node.subscriptions = node.subscriptions, set()
        node.apply(DisconnectAgent(welcome.agent, agent.session, "node-1"))
        node.subscriptions = subscriptions
        session = api.services.gateway.sessions[welcome.agent]
        api.services.gateway.on_gap()
        assert session.disconnected
        rest = await agent.until_closed()
        assert isinstance(rest[-1], p.Leave)
        assert rest[-1].reason == "behind"


async def test_an_agent_that_the_state_has_here_without_a_socket_is_given_up(
    url: str, node: SingleNode
) -> None:
    """Its front died, or the node without a quorum, before it could say that the agent had gone."""
    async with HandAgent(url) as agent:
        other = await agent.hello()
        assert isinstance(other, p.Welcome)
        lost = HandAgent(url, name="agent-2")
        (outcome,) = node.apply(connect_to("node-1", lost))
        assert outcome.value is not None
        gone = outcome.value["agent"]
        assert isinstance(gone, int)
        await until(lambda: agent_row(node, gone).node == "")
        assert agent_row(node, other.agent).node == "node-1"


async def test_an_older_session_is_told_that_it_is_fenced(url: str, node: SingleNode) -> None:
    async with HandAgent(url) as new, HandAgent(url) as old:
        new.session = session(2)
        welcome = await new.hello()
        assert isinstance(welcome, p.Welcome)
        told = await old.hello()
        assert isinstance(told, p.Leave)
        assert told.reason == "fenced"
        await new.send(p.Ping(1, 0))
        await new.expect(p.Pong)


@pytest.mark.parametrize(
    "field",
    [
        {"labels": {"a": [[1]]}},
        {"labels": {"a": "x" * 300}},
        {"labels": {str(n): "x" for n in range(200)}},
        {"name": "x" * 300},
        {"slots": "many"},
        {"slots": -1},
        {"session": 7},
    ],
)
async def test_a_hello_that_must_not_reach_the_log_is_refused(
    url: str, node: SingleNode, field: dict[str, Any]
) -> None:
    index = node.index
    async with HandAgent(url) as agent:
        told = await agent.hello(**field)
        assert isinstance(told, p.Leave)
        assert told.reason == "refused"
    assert node.index == index


async def test_a_closed_socket_disconnects_the_agent(url: str, node: SingleNode) -> None:
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        assert agent_row(node, welcome.agent).node == "node-1"
    await until(lambda: agent_row(node, welcome.agent).node == "")


async def test_the_socket_needs_a_token(url: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with HandAgent(url, token="wrong"):
            pass
    assert refused.value.response.status_code == 401


async def test_garbage_ends_the_connection(url: str) -> None:
    async with HandAgent(url) as agent:
        assert agent.socket is not None
        await agent.socket.send(b"\xc1garbage")
        rest = await agent.until_closed()
        assert isinstance(rest[-1], p.Leave)
        assert rest[-1].reason == "refused"


async def test_live_output_comes_from_the_agent_and_later_from_the_tail(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as agent:
        run, attempt = await granted(agent, node, client)
        reading = asyncio.create_task(client.get(f"/v1/runs/{run}/logs?follow=true&offset=1"))
        asked = await agent.expect(p.TailRequest)
        assert isinstance(asked, p.TailRequest)
        assert (asked.attempt, asked.offset) == (attempt, 1)
        await agent.send(p.TailChunk(asked.request, b"ello ", False, 6))
        asked = await agent.expect(p.TailRequest)
        assert isinstance(asked, p.TailRequest)
        assert asked.offset == 6
        await agent.send(p.TailChunk(asked.request, b"world", True, 11))
        reply = await reading
        assert (reply.text, reply.headers["x-cronclave-log-source"]) == ("ello world", "agent")
        await agent.send(p.Finished(1, attempt, 1, 2, 0, "exit", None, "", b"hello world"))
        await agent.expect(p.Ack)
    await until(lambda: not agent_row(node, 1).node)
    stored = await client.get(f"/v1/runs/{run}/logs")
    assert (stored.text, stored.headers["x-cronclave-log-source"]) == ("hello world", "tail")


async def test_who_asks_for_output_of_an_agent_that_leaves_meanwhile_gets_the_stored_tail(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    """Its request was cancelled with the agent's socket: an error 500, and a traceback in the log."""
    async with HandAgent(url) as agent:
        run, _ = await granted(agent, node, client)
        reading = asyncio.create_task(client.get(f"/v1/runs/{run}/logs?follow=true&wait=1ms"))
        await agent.expect(p.TailRequest)
    reply = await reading
    assert (reply.status_code, reply.headers["x-cronclave-log-source"]) == (200, "tail")


def test_a_question_to_another_node_is_no_line_of_the_log() -> None:
    """A thousand followers of an output at another node were a thousand lines."""
    assert "api.log_source" in sys.modules
    assert not logging.getLogger("httpx2").isEnabledFor(logging.INFO)


async def test_a_large_chunked_body_gets_its_413_from_the_real_server(url: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b"x" * 65_536

    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=DEADLINE_S) as real:
        reply = await real.put("/v1/jobs/big", content=chunks())
        assert (reply.status_code, reply.json()["type"]) == (413, "/problems/too-large")
        assert (await real.get("/v1/jobs/big")).status_code == 404


async def test_an_agent_that_reads_nothing_is_cut_off(
    url: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_session, "SEND_S", 0.3)
    async with HandAgent(url) as agent:
        welcome = await welcomed(agent)
        assert agent.socket is not None
        agent.socket.transport.pause_reading()
        for _ in range(200):  # more than the kernel takes for both ends
            api.services.gateway.sessions[welcome.agent].push(p.Leave("refused", "x" * 100_000))
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(websockets.ConnectionClosed):
                while api.services.gateway._open:  # it is not silent: only its ears are shut
                    await agent.send(p.Ping(0, 0))
                    await asyncio.sleep(0.05)
        await until(lambda: not api.services.gateway._open)
        agent.socket.transport.abort()
