"""What an agent is doing: the attempts that hold its slots, each with its run and task."""

from __future__ import annotations

import httpx2

from api.schemas import replies
from scheduler.words.commands import ConnectAgent
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS


async def test_its_slots_are_told_one_by_one(client: httpx2.AsyncClient, node: SingleNode) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "1", "node-1", KINDS))
    node.apply(ConnectAgent("agent-2", "j", "t", "b", "zone-b", "idle", b"{}", 8, "1", "node-1", KINDS))
    await client.put("/v1/jobs/job", json={"run": "true"})
    runs = [(await client.post("/v1/jobs/job/runs")).json()["id"] for _ in range(3)]

    first = (await client.get("/v1/agents/agent-1/work", params={"limit": 2})).json()
    replies.WorkList.model_validate(first)
    rest = (
        await client.get("/v1/agents/agent-1/work", params={"limit": 2, "cursor": first["next_cursor"]})
    ).json()
    found = [*first["items"], *rest["items"]]

    assert [item["run"] for item in found] == runs
    assert {(item["job"], item["namespace"], item["state"]) for item in found} == {
        ("job", "default", "assigned")
    }
    assert rest["next_cursor"] is None
    assert (await client.get("/v1/agents/agent-2/work")).json()["items"] == []
    assert (await client.get("/v1/agents/agent-9/work")).status_code == 404
