"""What an agent is doing: the attempts that hold its slots, each with its run and task."""

from __future__ import annotations

import httpx2

from api.app import Api
from api.schemas import replies
from scheduler import protocol as p
from scheduler.words.commands import ConnectAgent
from tests.api.served import HandAgent, served
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS


async def test_its_slots_are_told_one_by_one(client: httpx2.AsyncClient, node: SingleNode) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "1", "node-2", KINDS))
    node.apply(ConnectAgent("agent-2", "j", "t", "b", "zone-b", "idle", b"{}", 8, "1", "node-2", KINDS))
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


async def test_work_that_is_surrounded_does_not_begin_on_an_agent_that_would_leave_that_out(
    api: Api, client: httpx2.AsyncClient
) -> None:
    await client.put("/v1/namespaces/default", json={"before": "mount /data"})
    await client.put("/v1/jobs/job", json={"run": "true"})
    async with served(api) as url, HandAgent(url) as agent:
        assert isinstance(await agent.hello(kinds=("shell",)), p.Welcome)
        await client.post("/v1/jobs/job/runs")
        work = await agent.expect(p.Assign)
        assert isinstance(work, p.Assign)
        await agent.send(p.Claim(work.attempt, "c"))
        grant = await agent.expect(p.Grant, p.Refuse)
        assert isinstance(grant, p.Grant)
        said = "agent agent-1 does not know how to run what namespace default wants around it: upgrade it"
        assert grant.unable == f"{said} (node node-1)"
