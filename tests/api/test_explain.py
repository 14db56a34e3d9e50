"""Explanations by the API: shapes, refusals, and that they are told without a leader too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx2
import msgspec
import pytest

from api.schemas import explained
from scheduler.machine.rules import gates
from scheduler.words.commands import ConnectAgent
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

JOB = {"noop": True, "triggers": {"every": "1h"}, "policies": {"overlap": "queue_all"}}


def names(*lists: Sequence[gates.Gate[Any]]) -> list[str]:
    return [gate.NAME for each in lists for gate in each]


@pytest.fixture
async def run(client: httpx2.AsyncClient) -> int:
    assert (await client.put("/v1/jobs/job", json=JOB)).status_code == 201
    number: int = (await client.post("/v1/jobs/job/runs")).json()["id"]
    return number


async def test_a_run_says_what_its_task_waits_for(
    client: httpx2.AsyncClient, node: SingleNode, run: int
) -> None:
    told = (await client.get(f"/v1/runs/{run}/explain")).json()
    explained.RunExplained.model_validate(told)

    assert (told["run"], told["state"], told["verdict"], told["more"]) == (run, "pending", "ready", False)
    assert [gate["gate"] for gate in told["gates"]] == ["leader", "suspended", *names(gates.RUN, gates.ADMIT)]
    (task,) = told["tasks"]
    assert [gate["gate"] for gate in task["gates"]] == names(gates.TASK, gates.PLACE)
    assert (task["verdict"], task["gates"][-1]["state"]) == ("waits", "waits")
    assert "no connected agent has pool default" in task["gates"][-1]["reason"]
    assert task["gates"][-1]["since"].endswith("Z")

    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1", "node-2", KINDS))
    told = (await client.get(f"/v1/runs/{run}/explain")).json()
    assert told["tasks"][0]["verdict"] == "ready"


async def test_work_that_no_agent_offers_says_so_everywhere(
    client: httpx2.AsyncClient, node: SingleNode, run: int
) -> None:
    said = "no {}agent with pool default offers work of kind noop"
    known = ("shell", "shell.nice")
    connect = ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "1", "node-2", known)
    node.apply(connect)

    (agent,) = (await client.get("/v1/agents")).json()["items"]
    told = (await client.get(f"/v1/runs/{run}/explain")).json()
    (tick,) = (await client.get("/v1/jobs/job/explain")).json()["ticks"]
    other = await client.put("/v1/jobs/other", json={"noop": True})

    assert (agent["kinds"], agent["features"]) == (["shell"], {"shell": ["nice"]})
    for asked in (told["tasks"][0]["gates"], tick["gates"]):
        (found,) = [gate for gate in asked if gate["gate"] == "kind"]
        assert (found["state"], found["reason"]) == ("waits", said.format("connected "))
        assert found["opens"] == "an agent that offers it"
        assert [gate["state"] for gate in asked if gate["gate"] == "agent"] == ["ready"], "slots are free"
    assert (other.json()["state"], other.json()["unplaceable_reason"]) == ("unplaceable", said.format(""))
    more = (await client.put("/v1/jobs/more", json={"run": "true", "nice": 5, "umask": "027"})).json()
    assert more["unplaceable_reason"] == "agent agent-1 does not know umask of shell work: upgrade it"
    assert (await client.put("/v1/jobs/sleeps", json={"sleep": "1m"})).json()["state"] == "active"

    node.apply(msgspec.structs.replace(connect, session="t", kinds=("noop", "shell")))
    told = (await client.get(f"/v1/runs/{run}/explain")).json()
    assert told["tasks"][0]["verdict"] == "ready"


async def test_a_tick_is_explained_and_one_that_is_none(client: httpx2.AsyncClient, run: int) -> None:
    told = (await client.get("/v1/jobs/job/explain")).json()
    explained.InstantExplained.model_validate(told)
    (tick,) = told["ticks"]
    assert (tick["outcome"], tick["verdict"], tick["at"]) == ("pending", "waits", told["at"])
    later = names(gates.RUN, gates.ADMIT)
    fires = [name for name in names(gates.FIRE) if name not in later]
    before = ["leader", "time", *names(gates.TICK), "catchup", "restore", *fires, *later]
    placed = [name for name in names(gates.PLACE) if name not in (*before, "retry")]
    assert [gate["gate"] for gate in tick["gates"]] == [*before, *placed]

    same = (await client.get("/v1/jobs/job/explain", params={"at": told["at"]})).json()
    assert same["ticks"][0]["at"] == told["at"]

    none = (await client.get("/v1/jobs/job/explain", params={"at": "2031-01-01T00:00:01Z"})).json()
    explained.InstantExplained.model_validate(none)
    assert none["ticks"] == []
    assert none["after"] == "2031-01-01T01:00:00Z"


@pytest.mark.parametrize(
    ("path", "status", "type_"),
    [
        ("/v1/jobs/none/explain", 404, "not-found"),
        ("/v1/jobs/job/explain?at=noon", 422, "validation"),
        ("/v1/jobs/job/explain?at=2031-01-01T00:00:01", 422, "validation"),
        ("/v1/jobs/job/explain?when=2031-01-01T00:00:01Z", 422, "validation"),
        ("/v1/jobs/job/explain?namespace=other", 404, "not-found"),
        ("/v1/runs/4711/explain", 404, "not-found"),
        ("/v1/runs/first/explain", 404, "not-found"),
    ],
)
async def test_what_cannot_be_explained_is_refused(
    client: httpx2.AsyncClient, run: int, path: str, status: int, type_: str
) -> None:
    reply = await client.get(path)
    assert (reply.status_code, reply.json()["type"]) == (status, f"/problems/{type_}"), reply.text


async def test_without_a_quorum_a_stale_answer_says_that_nothing_is_decided(
    client: httpx2.AsyncClient, node: SingleNode, run: int
) -> None:
    node.quorum = False

    assert (await client.get(f"/v1/runs/{run}/explain")).status_code == 503
    told = (await client.get(f"/v1/runs/{run}/explain?consistency=stale")).json()
    assert (told["verdict"], told["gates"][0]["gate"], told["gates"][0]["state"]) == (
        "waits", "leader", "waits",
    )  # fmt: skip
