"""An agent with a good token and bad intentions, against a whole cluster at work.

Field by field it is judged in tests/api (test_agent_identity, test_rogue_agent); here it is shown that the
cluster and its right agents do not notice.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.agents.bounds import HELD_MAX
from bench.cluster import Cluster, wait_for
from scheduler import protocol as p
from tests.api.served import HandAgent, key_of, session
from tests.e2e.cluster import DEADLINE_S, ENDED, attempts_of, run_of, start_run, wait_run

FLOOD_FRAMES = 40
FRAME_CLAIMS = 500


@pytest.fixture
def fleet_token(besieged: Cluster) -> Iterator[str]:
    """Good for agents of any name that is not bound: the widest that the API gives to an agent."""
    name = f"fleet-{secrets.token_hex(4)}"
    wanted = {"name": name, "role": "agent", "any_name": True, "pool": "elsewhere"}
    yield besieged.client.ask("POST", "/v1/tokens", wanted).json()["token"]
    besieged.client.ask("DELETE", f"/v1/tokens/{name}")


def rogue(cluster: Cluster, token: str, name: str = "rogue", *, key: str = "the rogue's own") -> HandAgent:
    made = HandAgent(cluster.nodes[0].url, token=token, name=name)
    made.key = key_of(key)
    return made


async def said(agent: HandAgent, **fields: Any) -> p.Message:
    return await agent.hello(cluster="", **{"pool": "elsewhere", **fields})


def shown(cluster: Cluster, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.client.get(f"/v1/agents/{name}")
    return found


@pytest.fixture
def at_work(besieged: Cluster, tmp_path: Path) -> Iterator[int]:
    """A run that a right agent has started, and that ends well once it is told to."""
    go = tmp_path / "go"
    line = f"until test -e {go}; do sleep 0.05; done; echo mine; exit 7"
    besieged.client.ask("PUT", "/v1/jobs/at-work", {"run": line})
    run = start_run(besieged, "at-work")
    wait_run(besieged, run, frozenset({"running"}))
    yield run
    go.touch()
    ended = wait_run(besieged, run)
    assert (ended["state"], ended["exit_code"]) == ("failed", 7), "its own end, by its own agent"
    assert len(attempts_of(ended)) == 1
    assert "mine" in besieged.client.send("GET", f"/v1/runs/{run}/logs").body.decode()
    besieged.client.ask("DELETE", "/v1/jobs/at-work")


def test_nobody_takes_a_connected_agents_place(besieged: Cluster, fleet_token: str, at_work: int) -> None:
    victim = shown(besieged, "agent-1")

    async def attacks() -> None:
        last = session(p.SESSION_MS_MAX)
        for fields in (
            {"installation": victim["installation"], "session": last},
            {"installation": victim["installation"], "session": last, "boot_id": "another"},
            {"session": "f" * 16 + "-" + "f" * 16},
            {},
        ):
            async with rogue(besieged, fleet_token, "agent-1") as agent:
                answer = await said(agent, **fields)
                assert isinstance(answer, p.Leave), fields
                assert answer.reason == "refused", fields

    asyncio.run(attacks())

    now = shown(besieged, "agent-1")
    assert {**now, "busy": 0} == {**victim, "busy": 0}, "still there, by the same connection"
    assert run_of(besieged, at_work)["state"] == "running"


def test_anothers_attempts_are_neither_claimed_nor_ended_nor_told_of(
    besieged: Cluster, fleet_token: str, at_work: int
) -> None:
    attempt = next(iter(attempts_of(run_of(besieged, at_work))))["id"]

    async def attack() -> None:
        async with rogue(besieged, fleet_token) as agent:
            assert isinstance(await said(agent, held=((attempt, "gone"),)), p.Welcome)
            await agent.send(
                p.Claim(attempt, "mine now"),
                p.Running(1, attempt, 1),
                p.Finished(2, attempt, 1, 2, 0, "exit", None, "", b"forged"),
            )
            assert isinstance(await agent.expect(p.Grant, p.Refuse), p.Refuse)
            await agent.expect(p.Ack)
            await agent.send(*[p.TailChunk(number, b"forged", True, 6) for number in range(100)])
            await agent.send(p.Ping(1, 0))
            await agent.expect(p.Pong)

    asyncio.run(attack())

    assert run_of(besieged, at_work)["state"] == "running"


def test_a_flood_of_claims_and_of_hellos_keeps_nobody_waiting(
    besieged: Cluster, fleet_token: str, at_work: int
) -> None:
    async def claims() -> None:
        async with rogue(besieged, fleet_token) as agent:
            assert isinstance(await said(agent), p.Welcome)
            for frame in range(FLOOD_FRAMES):
                first = (1 << 40) + frame * FRAME_CLAIMS
                await agent.send(*[p.Claim(first + n, "c" * 200) for n in range(FRAME_CLAIMS)])
            for _ in range(FLOOD_FRAMES * FRAME_CLAIMS):
                assert isinstance(await agent.expect(p.Refuse, p.Leave), p.Refuse)

    async def hellos() -> None:
        for number in range(100):
            async with rogue(besieged, fleet_token, f"rogue-{number}", key=str(number)) as agent:
                assert isinstance(await said(agent, held=tuple((n, "gone") for n in range(5_000))), p.Welcome)

    async def both() -> None:
        await asyncio.gather(claims(), hellos())

    before = besieged.client.get("/v1/cluster")["index"]
    asyncio.run(both())

    assert besieged.client.get("/v1/cluster")["index"] - before < FLOOD_FRAMES * FRAME_CLAIMS / 4
    besieged.client.ask("PUT", "/v1/jobs/quick", {"noop": True})
    run = start_run(besieged, "quick")
    wait_for(lambda: run_of(besieged, run)["state"] in ENDED, DEADLINE_S, "others' work", 0.1)
    besieged.client.ask("DELETE", "/v1/jobs/quick")


def test_frames_that_are_none_end_their_own_socket_alone(
    besieged: Cluster, fleet_token: str, at_work: int
) -> None:
    async def attack(frame: bytes) -> None:
        async with rogue(besieged, fleet_token) as agent:
            assert isinstance(await said(agent), p.Welcome)
            assert agent.socket is not None
            try:
                await agent.socket.send(frame)
                await agent.until_closed()
            except ConnectionClosed:
                pass

    for frame in (
        b"",
        b"\xc1" * 1_000,
        b"\x91" * 100_000,  # arrays within arrays
        b"\xdd\xff\xff\xff\xff",  # four thousand million messages
        b"\x90" * (1 << 20),
        b"\xdc\xff\xff" + b"\x93\x02\x01\xa1c" * 0xFFFF,
        secrets.token_bytes(5 << 20),  # beyond the limit of a frame
    ):
        asyncio.run(attack(frame))


def test_a_token_that_is_withdrawn_ends_its_agents(besieged: Cluster) -> None:
    token = besieged.client.ask("POST", "/v1/tokens", {"name": "short", "role": "agent"}).json()["token"]

    async def leaves() -> None:
        async with HandAgent(besieged.nodes[1].url, token=token, name="short") as agent:
            assert isinstance(await said(agent), p.Welcome)
            besieged.client.ask("DELETE", "/v1/tokens/short")
            assert isinstance(await agent.expect(p.Leave), p.Leave)
        with pytest.raises(InvalidStatus):
            async with HandAgent(besieged.nodes[1].url, token=token, name="short"):
                pass

    asyncio.run(leaves())


def test_frames_of_millions_of_values_and_hellos_that_hold_all_they_may_cost_nobody_the_office(
    besieged: Cluster, fleet_token: str, at_work: int
) -> None:
    """The fronts' loop unpacked one for more than a second; the cores applied the other for 300 ms."""
    lists = p.HELLO_BYTES_MAX - 6  # the most that who has not said Hello may send
    frame = b"\x91\xdd" + lists.to_bytes(4, "big") + b"\x90" * lists
    held = tuple(((1 << 40) + n, "gone") for n in range(HELD_MAX))

    async def unpacked() -> None:
        for _ in range(5):
            async with rogue(besieged, fleet_token) as agent:
                assert agent.socket is not None
                await agent.socket.send(frame)
                assert isinstance(await agent.expect(p.Leave), p.Leave)

    async def hellos(lane: int) -> None:
        for number in range(5):
            name = f"rogue-{lane}-{number}"
            async with rogue(besieged, fleet_token, name, key=name) as agent:
                assert isinstance(await said(agent, held=held), p.Welcome)

    async def all_of_it() -> None:
        await asyncio.gather(*[unpacked() for _ in range(3)], *[hellos(lane) for lane in range(3)])

    asyncio.run(all_of_it())


def test_hundreds_of_sockets_that_come_and_go_at_once_cost_nobody_the_office(
    besieged: Cluster, fleet_token: str, at_work: int
) -> None:
    """They were all let in within one turn of the front's loop."""

    async def come_and_go() -> None:
        agents = [rogue(besieged, fleet_token) for _ in range(600)]
        await asyncio.gather(*[agent.__aenter__() for agent in agents])
        for agent in agents:
            assert agent.socket is not None
            agent.socket.transport.abort()

    for _ in range(2):
        asyncio.run(come_and_go())
