"""Activating a format through the API: who stands in the way is named, and a dry run changes nothing."""

from __future__ import annotations

import dataclasses

import httpx2
import pytest

from scheduler import formats
from scheduler.machine import dispatch
from scheduler.words.commands import Migrate
from tests import next_format
from tests.api.single_node import SingleNode, peer

NEXT = next_format.NUMBER
PATH = "/v1/cluster/format"


@pytest.fixture(autouse=True)
def _next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", list(formats.FORMATS))
    monkeypatch.setattr(dispatch, "APPLY", dict(dispatch.APPLY))
    next_format.learn()


def upgrade(node: SingleNode) -> None:
    """All peers run the next version."""
    node.peers = tuple(peer(each.node, each.zone, format_max=NEXT) for each in node.peers)


async def test_a_format_is_activated_for_good(client: httpx2.AsyncClient, node: SingleNode) -> None:
    upgrade(node)
    reply = (await client.post(PATH)).json()
    assert (reply["before"], reply["target"], reply["changed"]) == (NEXT - 1, NEXT, True)
    assert reply["changes"] == [{"format": NEXT, "changes": next_format.FORMAT.changes}]
    assert [member["format_max"] for member in reply["members"]] == [NEXT] * 3
    assert (await client.get("/v1/cluster")).json()["format_target"] == NEXT
    again = await client.post(PATH, json={"format": NEXT})
    assert (again.status_code, again.json()["changed"]) == (200, False)
    lower = await client.post(PATH, json={"format": NEXT - 1})
    assert (lower.status_code, "never lowered" in lower.json()["detail"]) == (409, True)


async def test_a_dry_run_changes_nothing(client: httpx2.AsyncClient, node: SingleNode) -> None:
    upgrade(node)
    reply = (await client.post(PATH + "?dry_run=true")).json()
    assert (reply["changed"], reply["format"], reply["target"]) == (True, NEXT - 1, NEXT)
    assert node.machine.state.target_format == NEXT - 1


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_members_in_the_way_are_named(client: httpx2.AsyncClient, node: SingleNode, query: str) -> None:
    node.peers = (peer("node-2", "zone-b"), peer("node-3", "zone-c", reachable=False, format_max=NEXT))
    refused = await client.post(PATH + query, json={"format": NEXT})
    assert refused.status_code == 409
    assert "node-2 supports format 1; node-3 does not answer" in refused.json()["detail"]
    assert "every node" in refused.json()["hint"]
    assert [member["node"] for member in refused.json()["members"]] == ["node-1", "node-2", "node-3"]
    assert node.machine.state.target_format == NEXT - 1


async def test_a_member_that_was_not_met_is_in_the_way(client: httpx2.AsyncClient, node: SingleNode) -> None:
    node.peers = (peer("node-2", "zone-b", voter=False, format_min=0, format_max=0),)
    assert "node-2 does not answer" in (await client.post(PATH, json={"format": NEXT})).json()["detail"]
    assert (await client.post(PATH)).json()["changed"] is False


@pytest.mark.parametrize("body", [{"format": 0}, {"format": "2"}, {"format": True}, {"formt": 2}])
async def test_a_number_is_needed(client: httpx2.AsyncClient, body: dict[str, object]) -> None:
    refused = await client.post(PATH, json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == f"/{next(iter(body))}"


async def test_what_this_version_does_not_know_is_not_activated(client: httpx2.AsyncClient) -> None:
    refused = await client.post(PATH, json={"format": NEXT + 1})
    assert "node-1 supports formats 1 to 2" in refused.json()["detail"]


@pytest.fixture
def _later_field(monkeypatch: pytest.MonkeyPatch) -> None:
    later = dataclasses.replace(next_format.FORMAT, job_fields=("/tasks/*/stdin", "/description"))
    monkeypatch.setattr(formats, "FORMATS", [*formats.FORMATS[:-1], later])


@pytest.mark.usefixtures("_later_field")
async def test_a_field_above_the_format_is_refused_at_the_door(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    document = {"run": "true", "stdin": "x"}
    refused = await client.put("/v1/jobs/a", json=document)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/stdin"
    assert "needs format 2" in refused.json()["errors"][0]["detail"]
    assert "cluster activate" in refused.json()["errors"][0]["hint"]
    jobs = [{"job": "b", "noop": True}, {"job": "a", **document}]
    many = await client.post("/v1/apply", json={"jobs": jobs})
    assert many.json()["errors"][0]["pointer"] == "/jobs/1/stdin"
    assert (await client.get("/v1/jobs/b")).status_code == 404, "half of it was applied"

    plain = {"run": "true"}
    assert (await client.put("/v1/jobs/a", json=plain)).status_code == 201
    assert b"description" not in node.store.value("SELECT spec FROM jobs")
    dry = await client.put("/v1/jobs/a?dry_run=true", json=plain)
    assert dry.json()["change"] == "unchanged"

    upgrade(node)
    assert (await client.post(PATH)).status_code == 200
    node.apply(Migrate(node.machine.state.epoch, "", 100))
    assert (await client.put("/v1/jobs/a", json=document)).status_code == 200
