"""The ticks that an agent has in advance, by the API: shown, asked back before an edit, given up."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.schemas import reservations as shapes
from scheduler.protocol import RESERVES
from scheduler.store.tables import reservations, triggers
from scheduler.words.commands import ConnectAgent, DisconnectAgent, Reserve
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

PATH = "/v1/jobs/readings"
JOB: dict[str, Any] = {
    "noop": True, "triggers": {"every": "1h", "id": "t"}, "policies": {"autonomy": {"window": "1d"}},
}  # fmt: skip


@pytest.fixture
async def agent(client: httpx2.AsyncClient, node: SingleNode) -> int:
    """Has the next three ticks of the job."""
    connect = ConnectAgent(
        "plant-7", "i", "s1", "b", "zone-a", "default", b"{}", 4, "1", node.status().node,
        (*KINDS, RESERVES),
    )  # fmt: skip
    (made,) = node.apply(connect)
    assert made.value is not None
    number = int(str(made.value["agent"]))
    assert (await client.put(PATH, json=JOB)).status_code == 201
    for _ in range(3):
        with node.read() as store:
            (era,) = triggers.live(store, 1)
        assert era.next_due_ms is not None
        due_ms = era.next_due_ms
        (outcome,) = node.apply(Reserve(node.machine.state.epoch, era.id, due_ms, due_ms + 3_600_000, number))
        assert outcome.ok, outcome
    return number


async def test_what_is_reserved_is_shown(client: httpx2.AsyncClient, agent: int) -> None:
    told = (await client.get(f"{PATH}/reserved")).json()
    shapes.Reserved.model_validate(told)
    assert (told["agent"], told["connected"], told["ticks"], told["asked_back"]) == ("plant-7", True, 3, 0)
    assert told["first"] < told["until"]
    coming = (await client.get(f"{PATH}/next", params={"count": 3})).json()["items"]
    assert [each["due"] for each in coming][0::2] == [told["first"], told["until"]]
    assert (await client.get("/v1/jobs/other/reserved")).status_code == 404


async def test_it_is_asked_back(client: httpx2.AsyncClient, node: SingleNode, agent: int) -> None:
    tried = await client.post(f"{PATH}/unreserve", params={"dry_run": True})
    assert (tried.json()["dry_run"], tried.json()["asked_back"]) == (True, 0)
    told = (await client.post(f"{PATH}/unreserve")).json()
    shapes.Unreserved.model_validate(told)
    assert (told["ticks"], told["asked_back"], told["lost"]) == (3, 3, 0)
    refused = await client.post(f"{PATH}/unreserve", json={"gone": True})
    assert refused.status_code == 409
    assert "connected" in refused.json()["detail"]
    for wrong in ({"gone": "yes"}, {"gon": True}):
        assert (await client.post(f"{PATH}/unreserve", json=wrong)).status_code == 422


async def test_it_is_given_up_with_its_agent(
    client: httpx2.AsyncClient, node: SingleNode, agent: int
) -> None:
    assert node.apply(DisconnectAgent(agent, "s1", node.status().node))[0].ok
    refused = await client.post(f"{PATH}/runs", json={})
    assert refused.status_code == 409
    assert "plant-7 has coming ticks" in refused.json()["detail"]
    assert "--gone" in refused.json()["hint"]
    told = (await client.post(f"{PATH}/unreserve", json={"gone": True})).json()
    assert (told["lost"], told["given_back"], told["ticks"]) == (0, 3, 0)
    assert (await client.post(f"{PATH}/runs", json={})).status_code == 201


async def test_an_edit_of_a_job_whose_agent_is_away_is_taken(
    client: httpx2.AsyncClient, node: SingleNode, agent: int
) -> None:
    assert node.apply(DisconnectAgent(agent, "s1", node.status().node))[0].ok
    assert (await client.put(PATH, json={**JOB, "triggers": {"every": "30m", "id": "t"}})).status_code == 200
    with node.read() as store:
        assert reservations.count_of(store, 1) == 3, "what it has stays its own"
        (era,) = triggers.live(store, 1)
        assert era.from_ms == reservations.last_of(store, 1), "and the new words begin behind it"


@pytest.mark.parametrize("way", ["put", "apply"])
async def test_an_edit_asks_for_what_is_reserved_first(
    client: httpx2.AsyncClient, node: SingleNode, agent: int, way: str
) -> None:
    """Here the agent gives nothing back: the edit waits, and is made. What changes nothing asks not."""

    async def write(every: str) -> None:
        document = {**JOB, "job": "readings", "triggers": {"every": every, "id": "t"}}
        if way == "put":
            reply = await client.put(PATH, json=document)
        else:
            reply = await client.post("/v1/apply", json=[document])
        assert reply.status_code == 200, reply.text

    await write("1h")
    assert (await client.get(f"{PATH}/reserved")).json()["asked_back"] == 0
    await write("30m")
    assert (await client.get(f"{PATH}/reserved")).json()["asked_back"] == 3
