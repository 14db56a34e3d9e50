"""The ticks that an agent has in advance, by the API: shown, asked back before an edit, given up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from api.app import Api
from api.schemas import reservations as shapes
from scheduler import protocol as p
from scheduler.protocol import RESERVES
from scheduler.store.tables import reservations, triggers
from scheduler.words.commands import ConnectAgent, DisconnectAgent, GiveBack, Reserve
from tests.api.planning import planning
from tests.api.served import HandAgent, served, session
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

PATH = "/v1/jobs/readings"
JOB: dict[str, Any] = {
    "noop": True, "triggers": {"every": "1h", "id": "t"}, "policies": {"autonomy": {"window": "1d"}},
}  # fmt: skip


def connected(node: SingleNode, installation: str = "i") -> int:
    connect = ConnectAgent(
        "plant-7", installation, session(1), "b", "zone-a", "default", b"{}", 4, "1", node.status().node,
        (*KINDS, RESERVES),
    )  # fmt: skip
    (made,) = node.apply(connect)
    assert made.value is not None, made
    return int(str(made.value["agent"]))


def reserve(node: SingleNode, agent: int, ticks: int = 3) -> None:
    """The next ticks of the only job, each an hour after the one before."""
    for _ in range(ticks):
        with node.read() as store:
            (era,) = triggers.live(store, 1)
        assert era.next_due_ms is not None
        due_ms = era.next_due_ms
        (outcome,) = node.apply(Reserve(node.machine.state.epoch, era.id, due_ms, due_ms + 3_600_000, agent))
        assert outcome.ok, outcome


@pytest.fixture
async def agent(client: httpx2.AsyncClient, node: SingleNode) -> int:
    """Has the next three ticks of the job."""
    number = connected(node)
    assert (await client.put(PATH, json=JOB)).status_code == 201
    reserve(node, number)
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


async def test_what_agents_have_is_measured(
    client: httpx2.AsyncClient, node: SingleNode, agent: int
) -> None:
    async def measured() -> dict[str, float]:
        text = (await client.get("/metrics")).text
        told = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        wanted = ("cronclave_reserved_", "cronclave_agents_alone")
        return {name.removeprefix("cronclave_"): float(of) for name, _, of in told if name.startswith(wanted)}

    here = {
        'reserved_ticks{connected="true"}': 3.0, 'reserved_ticks{connected="false"}': 0.0,
        "agents_alone": 0.0, "reserved_overdue_seconds": 0.0,
    }  # fmt: skip
    assert await measured() == here
    assert node.apply(DisconnectAgent(agent, session(1), node.status().node))[0].ok
    with node.read() as store:
        first_ms = reservations.of_job(store, 1, 1)[0].due_ms
    node.skew_ms += first_ms + 90_000 - node.now_ms()
    away = await measured()
    assert away.pop("reserved_overdue_seconds") >= 90.0
    assert away == {
        'reserved_ticks{connected="true"}': 0.0, 'reserved_ticks{connected="false"}': 3.0,
        "agents_alone": 1.0,
    }  # fmt: skip


async def test_it_is_given_up_with_its_agent(
    client: httpx2.AsyncClient, node: SingleNode, agent: int
) -> None:
    assert node.apply(DisconnectAgent(agent, session(1), node.status().node))[0].ok
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
    assert node.apply(DisconnectAgent(agent, session(1), node.status().node))[0].ok
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


OBJECTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "/v1/templates/base": ({"gives": {"noop": True}}, {"gives": {"noop": True, "retry": {"max": 1}}}),
    "/v1/calendars/days": ({"exclude": ["2040-01-01"]}, {"exclude": ["2040-01-02"]}),
    "/v1/namespaces/default": ({"defaults": {"timeout": "1h"}}, {"defaults": {"timeout": "2h"}}),
}  # fmt: skip
NAMING: dict[str, dict[str, Any]] = {
    "/v1/templates/base": {**JOB, "extends": "base"},
    "/v1/calendars/days": {**JOB, "triggers": {"every": "1h", "id": "t", "calendar": {"exclude": ["days"]}}},
    "/v1/namespaces/default": JOB,
}
NAMING["/v1/templates/base"].pop("noop")


@asynccontextmanager
async def answering(node: SingleNode, agent: int) -> AsyncIterator[None]:
    """The agent gives back what it is asked for, the last first."""

    async def answer() -> None:
        while True:
            with node.read() as store:
                rows = [row for row in reservations.of_job(store, 1, 10) if row.asked_back]
            for row in reversed(rows):
                node.apply(GiveBack(agent, (row.attempt,)))
            await asyncio.sleep(0.005)

    task = asyncio.create_task(answer())
    yield
    task.cancel()


@pytest.mark.parametrize(
    ("path", "staged"),
    [
        pytest.param(path, staged, id=f"{path}-{'staged' if staged else 'put'}")
        for path in OBJECTS
        for staged in (False, True)
        if not (staged and "namespaces" in path)  # none is laid down in slices
    ],
)
async def test_an_edit_of_what_a_job_names_asks_for_what_is_reserved_first(
    client: httpx2.AsyncClient, node: SingleNode, path: str, staged: bool
) -> None:
    first, other = OBJECTS[path]
    kind, name = path.split("/")[2].removesuffix("s"), path.split("/")[3]
    stages = itertools.count()

    async def put(shape: dict[str, Any]) -> None:
        if not staged:
            reply = await client.put(path, json=shape)
            assert reply.status_code in (200, 201), reply.text
            return
        stage = f"s{next(stages)}"
        laid = await client.post(f"/v1/apply?stage={stage}&slice=0", json=[{kind: name, **shape}])
        assert laid.status_code == 200, laid.text
        async with planning(node):
            done = await client.post(f"/v1/apply?stage={stage}&commit=true&slices=1")
        assert done.status_code == 200, done.text

    def left() -> int:
        with node.read() as store:
            return reservations.count_of(store, 1)

    await put(first)
    assert (made := await client.put(PATH, json=NAMING[path])).status_code == 201, made.text
    agent = connected(node)
    reserve(node, agent)
    async with answering(node, agent):
        await put(first)
        assert left() == 3, "what changes nothing asks not"
        await put(other)
        assert left() == 0


async def test_a_staged_job_counts_at_once(client: httpx2.AsyncClient, node: SingleNode, agent: int) -> None:
    """And what goes with a source, since nothing names it any more."""

    async def go_live(stage: str, *jobs: dict[str, Any], prune: str = "") -> None:
        laid = await client.post(f"/v1/apply?stage={stage}&slice=0&source=folder", json=list(jobs))
        assert laid.status_code == 200, laid.text
        async with planning(node):
            done = await client.post(f"/v1/apply?stage={stage}&commit=true&slices=1{prune}")
        assert done.status_code == 200, done.text

    with node.read() as store:
        first_ms = reservations.of_job(store, 1, 1)[0].at_ms
    document = {**JOB, "job": "readings", "triggers": {"every": "30m", "id": "t"}}
    async with answering(node, agent):
        await go_live("a", document)
        with node.read() as store:
            (era,) = triggers.live(store, 1)
            assert (reservations.count_of(store, 1), era.from_ms < first_ms) == (0, True)
        assert era.next_due_ms is not None
        assert era.next_due_ms <= first_ms, "no later than by the former words"


@pytest.mark.parametrize("by_name", [True, False], ids=["named", "pruned"])
async def test_a_staged_deletion_asks_too(
    client: httpx2.AsyncClient, node: SingleNode, by_name: bool
) -> None:
    document = {**JOB, "job": "readings"}
    made = await client.post("/v1/apply?source=folder", json=[document])
    assert made.status_code == 200, made.text
    agent = connected(node)
    reserve(node, agent)
    kept = document if by_name else {"job": "other", "noop": True}
    laid = await client.post("/v1/apply?stage=a&slice=0&source=folder", json=[kept])
    assert laid.status_code == 200, laid.text
    async with answering(node, agent), planning(node):
        done = await client.post("/v1/apply?stage=a&commit=true&slices=1&prune=true")
    assert done.status_code == 200, done.text
    with node.read() as store:
        assert reservations.count_of(store, 1) == (3 if by_name else 0)


async def test_an_agent_is_asked_for_its_last_tick_first(
    api: Api, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    """So that each goes back to the end of what is left, and an edit counts at once."""
    assert (await client.put(PATH, json=JOB)).status_code == 201
    async with served(api) as url, HandAgent(url, name="plant-7") as hand:
        welcome = await hand.hello(kinds=(*KINDS, RESERVES))
        assert isinstance(welcome, p.Welcome)
        reserve(node, welcome.agent)
        had = [await hand.expect(p.Reserved) for _ in range(3)]
        assert (await client.post(f"{PATH}/unreserve")).status_code == 200
        asked = [await hand.expect(p.AskBack) for _ in range(3)]
    told = [each.attempts for each in asked if isinstance(each, p.AskBack)]
    assert told == [(each.attempt,) for each in reversed(had) if isinstance(each, p.Reserved)]
