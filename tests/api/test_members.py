"""The members of the cluster: who they are, who joins, who leads; and its agents."""

from __future__ import annotations

import socket

import httpx2
import pytest

from api.routes import cluster
from cli.word import shown_at
from tests.api.single_node import SingleNode
from tests.api.working import connect


async def test_agents_and_cluster(client: httpx2.AsyncClient, node: SingleNode) -> None:
    connect(node)
    agents = (await client.get("/v1/agents")).json()["items"]
    assert [(a["name"], a["zone"], a["pool"], a["slots"], a["busy"], a["node"]) for a in agents] == [
        ("agent-1", "zone-a", "default", 4, 0, "node-1")
    ]
    cluster = (await client.get("/v1/cluster")).json()
    assert (cluster["node"], cluster["leader"], cluster["quorum"]) == ("node-1", "node-1", True)
    assert [peer["node"] for peer in cluster["peers"]] == ["node-2", "node-3"]
    assert cluster["index"] == node.index
    node.quorum = False
    assert (await client.get("/v1/cluster")).json()["quorum"] is False


async def test_one_agent_by_its_name(client: httpx2.AsyncClient, node: SingleNode) -> None:
    connect(node)
    found = (await client.get("/v1/agents/agent-1")).json()
    assert (found["zone"], found["slots"], found["connected"]) == ("zone-a", 4, True)
    assert found == (await client.get("/v1/agents")).json()["items"][0]
    assert (await client.get("/v1/agents/agent-9")).status_code == 404


async def test_members_and_transfer(client: httpx2.AsyncClient, node: SingleNode) -> None:
    member = {"name": "node-4", "address": "127.0.0.1:1", "zone": "zone-a", "url": "http://127.0.0.1:2"}
    node.answers["127.0.0.1:1"] = "node-4"
    assert (await client.post("/v1/cluster/members", json=member)).status_code == 201
    assert "node-4" in [peer["node"] for peer in (await client.get("/v1/cluster")).json()["peers"]]
    assert (await client.post("/v1/cluster/members", json={**member, "name": "node-1"})).status_code == 409
    assert (await client.post("/v1/cluster/members", json={"name": "x"})).status_code == 422
    assert (await client.delete("/v1/cluster/members/node-2")).status_code == 204
    unknown = await client.delete("/v1/cluster/members/node-2")
    assert unknown.status_code == 404
    assert "node-1, node-3, node-4" in unknown.json()["hint"]
    moved = await client.post("/v1/cluster/transfer", json={"node": "node-3"})
    assert moved.json() == {"leader": "node-3", "before": "node-1"}
    assert (await client.post("/v1/cluster/transfer", json={"node": "nobody"})).status_code == 404
    assert [what for what, _ in node.calls] == ["add_member", "remove_member", "transfer"]
    noted = (await client.get("/v1/audit?action=add,remove,transfer")).json()["items"]
    assert [(each["action"], each["name"], each["actor"]) for each in noted] == [
        ("transfer", None, "admin"), ("remove", "node-2", "admin"), ("add", "node-4", "admin"),
    ]  # fmt: skip


async def test_a_node_is_asked_at_its_address_before_it_is_admitted(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    member = {"name": "node-4", "address": "127.0.0.1:1", "zone": "zone-a", "url": "http://127.0.0.1:2"}
    for answers in ({}, {"127.0.0.1:1": "node-5"}):
        node.answers = answers
        for query in ("", "?dry_run=true"):
            refused = await client.post(f"/v1/cluster/members{query}", json=member)
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
            assert "nobody answers as a node at 127.0.0.1:1" in refused.json()["detail"]
            assert "unasked" in refused.json()["hint"]
    assert node.calls == [], "nothing half"
    node.answers = {"127.0.0.1:1": "node-4"}
    assert (await client.post("/v1/cluster/members?dry_run=1", json=member)).status_code == 200
    assert node.calls == []
    assert (await client.post("/v1/cluster/members", json=member)).status_code == 201
    assert node.calls == [("add_member", (*member.values(), "uid-of-node-4"))]


async def test_a_node_that_does_not_run_yet_is_admitted_when_that_is_said(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    member = {"name": "node-4", "address": "127.0.0.1:1", "zone": "zone-a", "url": "http://127.0.0.1:2"}
    assert (await client.post("/v1/cluster/members?unasked=true", json=member)).status_code == 201
    assert node.calls == [("add_member", (*member.values(), ""))]


async def test_whoever_joins_by_command_is_known_by_the_word_at_its_address(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    member = {"name": "node-4", "address": address, "zone": "zone-a", "url": "http://127.0.0.1:2"}
    nobody = await client.post("/v1/cluster/members", json={**member, "word": "w" * 32})
    assert (nobody.status_code, f"nobody answers at {address}" in nobody.json()["detail"]) == (409, True)
    with shown_at(address) as word:
        for wrong, status in (("short", 422), ("w" * 32, 409)):
            reply = await client.post("/v1/cluster/members", json={**member, "word": wrong})
            assert reply.status_code == status
        assert "somebody else answers" in reply.json()["detail"]
        assert node.calls == []
        made = await client.post("/v1/cluster/members", json={**member, "word": word})
        assert made.status_code == 201
        assert "word" not in made.json()


async def test_a_change_that_the_leader_drops_is_asked_again_and_then_refused(
    client: httpx2.AsyncClient, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "AGAIN_S", 0.05)
    monkeypatch.setattr(cluster, "SETTLE_S", 2.0)
    node.deaf = 2
    reply = await client.post("/v1/cluster/transfer", json={"node": "node-2"})
    assert reply.json() == {"leader": "node-2", "before": "node-1"}
    assert len(node.calls) == 3

    monkeypatch.setattr(cluster, "SETTLE_S", 0.1)
    node.deaf = 1_000
    refused = await client.delete("/v1/cluster/members/node-3")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/conflict")
    assert "node-3 is not removed" in refused.json()["detail"]


async def test_the_answering_node_says_where_it_is_itself(client: httpx2.AsyncClient) -> None:
    view = (await client.get("/v1/cluster")).json()
    assert (view["url"], view["address"]) == ("http://127.0.0.1:1", "127.0.0.1:1")
    assert [peer["tzdata"] for peer in view["peers"]] == ["2025b", "2025b"]
