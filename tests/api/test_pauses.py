"""Everything is paused, or a namespace, by the API."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.schemas import replies
from tests.api.single_node import SingleNode

WHY = {"reason": "the database is moved"}


async def test_everything_is_paused_and_resumed(client: httpx2.AsyncClient, node: SingleNode) -> None:
    assert (await client.get("/v1/pause")).json() == {"namespace": None, "paused": False, "pause": None}

    made = await client.post("/v1/pause", json=WHY)
    replies.Paused.model_validate(made.json())
    told = made.json()["pause"]
    assert (made.status_code, told["reason"], told["actor"], told["until"]) == (
        200, WHY["reason"], "admin", None,
    )  # fmt: skip
    assert (await client.get("/v1/pause")).json() == made.json()
    assert (await client.get("/v1/cluster")).json()["pause"] == told

    assert (await client.post("/v1/resume")).json()["paused"] is False
    assert (await client.post("/v1/resume")).status_code == 200
    assert (await client.get("/v1/cluster")).json()["pause"] is None


async def test_a_pause_with_an_end_is_none_once_that_is_over(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    until = "2199-01-31T23:00:00Z"
    made = await client.post("/v1/pause", json={**WHY, "until": until})
    assert made.json()["pause"]["until"] == until

    node.skew_ms = 200 * 366 * 86_400_000
    assert (await client.get("/v1/pause")).json()["paused"] is False
    assert (await client.get("/v1/cluster")).json()["pause"] is None


async def test_a_namespace_is_paused_and_its_runs_say_so(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json={"noop": True, "namespace": "kitchen", "triggers": {"every": "1h"}})
    run = (await client.post("/v1/jobs/job/runs?namespace=kitchen")).json()["id"]
    path = "/v1/namespaces/kitchen"

    assert (await client.post(f"{path}/pause", json=WHY)).json()["namespace"] == "kitchen"
    assert (await client.get("/v1/pause")).json()["paused"] is False

    gates = (await client.get(f"/v1/runs/{run}/explain")).json()["tasks"][0]["gates"]
    (found,) = [gate for gate in gates if gate["gate"] == "pause_all"]
    assert (found["state"], found["reason"]) == (
        "waits", "namespace kitchen is paused by admin: the database is moved",
    )  # fmt: skip
    (tick,) = (await client.get("/v1/jobs/job/explain?namespace=kitchen")).json()["ticks"]
    (found,) = [gate for gate in tick["gates"] if gate["gate"] == "pause_all"]
    assert found["outcome"] == "skipped(paused)"

    assert (await client.post(f"{path}/resume")).json()["paused"] is False


async def test_a_dry_run_pauses_nothing(client: httpx2.AsyncClient, node: SingleNode) -> None:
    told = (await client.post("/v1/pause?dry_run=true", json=WHY)).json()
    assert (told["paused"], told["pause"]["reason"]) == (True, WHY["reason"])
    assert (await client.get("/v1/pause")).json()["paused"] is False

    since = (await client.post("/v1/pause", json=WHY)).json()["pause"]["since"]
    node.skew_ms = 1_000
    told = (await client.post("/v1/pause?dry_run=true", json={"reason": "another"})).json()
    assert (told["pause"]["reason"], told["pause"]["since"]) == ("another", since), "it stands since then"
    told = (await client.post("/v1/resume?dry_run=true")).json()
    assert told == {"namespace": None, "paused": False, "pause": None}, "as it would be"
    assert (await client.get("/v1/pause")).json()["paused"] is True


async def test_a_dry_run_shows_a_job_as_it_would_be(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json={"noop": True})
    assert (await client.post("/v1/jobs/job/pause?dry_run=true")).json()["state"] == "paused"
    before = (await client.get("/v1/jobs/job")).json()
    assert before["state"] == "unplaceable", "no agent is there"

    dry = (await client.post("/v1/jobs/job/pause?dry_run=true")).json()
    assert (await client.post("/v1/jobs/job/pause")).json() == dry
    assert (await client.post("/v1/jobs/job/resume?dry_run=true")).json() == before
    assert (await client.get("/v1/jobs/job")).json() == dry


async def test_a_job_tells_of_the_pauses_that_keep_it_back(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    for namespace in ("default", "kitchen"):
        made = await client.put("/v1/jobs/job", json={"noop": True, "namespace": namespace})
        replies.Job.model_validate(made.json())
        assert made.json()["paused_by"] == []
    of_all = (await client.post("/v1/pause", json={**WHY, "until": "2199-01-31T23:00:00Z"})).json()["pause"]
    of_one = (await client.post("/v1/namespaces/kitchen/pause", json=WHY)).json()["pause"]

    told = [(await client.get(f"/v1/jobs/job?namespace={name}")).json() for name in ("default", "kitchen")]
    assert [job["paused_by"] for job in told] == [[of_all], [of_all, of_one]]
    assert (await client.get("/v1/jobs")).json()["items"] == told
    new = await client.put("/v1/jobs/another", json={"noop": True, "namespace": "kitchen"})
    assert new.json()["paused_by"] == [of_all, of_one]
    assert (await client.put("/v1/jobs/job", json=told[0])).json()["revision"] == 1, "no definition has it"

    node.skew_ms = 200 * 366 * 86_400_000
    told = (await client.get("/v1/jobs")).json()["items"]
    assert [job["paused_by"] for job in told] == [[], [of_one], [of_one]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/reason"),
        ({"reason": ""}, "/reason"),
        ({"reason": "  "}, "/reason"),
        ({"reason": 7}, "/reason"),
        ({"reason": "x" * 501}, "/reason"),
        ({**WHY, "until": "tomorrow"}, "/until"),
        ({**WHY, "until": "2199-01-31T23:00:00"}, "/until"),
        ({**WHY, "until": "2001-01-31T23:00:00Z"}, "/until"),
        ({**WHY, "until": 7}, "/until"),
        ({**WHY, "till": "2199-01-31T23:00:00Z"}, "/till"),
    ],
)
async def test_what_is_no_pause_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    reply = await client.post("/v1/pause", json=body)
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer), reply.text
    assert (await client.get("/v1/pause")).json()["paused"] is False


async def test_a_namespace_without_jobs_is_not_found(client: httpx2.AsyncClient) -> None:
    for query in ("", "?dry_run=true"):
        for reply in (
            await client.post(f"/v1/namespaces/kitchne/pause{query}", json=WHY),
            await client.post(f"/v1/namespaces/kitchne/resume{query}"),
        ):
            assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
    assert (await client.get("/v1/namespaces/kitchne/pause")).status_code == 404


async def test_a_pause_of_a_namespace_whose_jobs_are_gone_can_be_lifted(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json={"noop": True, "namespace": "kitchen"})
    await client.post("/v1/namespaces/kitchen/pause", json=WHY)
    await client.delete("/v1/jobs/job?namespace=kitchen")

    assert (await client.get("/v1/namespaces/kitchen/pause")).json()["paused"] is True
    assert (await client.post("/v1/namespaces/kitchen/resume?dry_run=true")).status_code == 200
    assert (await client.post("/v1/namespaces/kitchen/resume")).json()["paused"] is False


async def test_without_a_leader_nothing_is_paused(client: httpx2.AsyncClient, node: SingleNode) -> None:
    node.quorum = False
    reply = await client.post("/v1/pause", json=WHY)
    assert (reply.status_code, reply.json()["type"]) == (503, "/problems/no-leader")


async def test_a_pause_of_a_job_says_why_and_ends(client: httpx2.AsyncClient) -> None:
    assert (await client.put("/v1/jobs/j", json={"noop": True})).status_code == 201
    body = {"reason": "stocktaking", "until": "2199-01-31T23:00:00Z"}
    answer = await client.post("/v1/jobs/j/pause", json=body)
    assert answer.status_code == 200, answer.text
    reason = answer.json()["pause_reason"]
    assert reason.endswith("until 2199-01-31T23:00:00Z: stocktaking"), reason
    again = await client.post("/v1/jobs/j/pause")
    assert again.json()["state"] == "paused"
    for wrong, pointer in (
        ({"until": "2001-01-01T00:00:00Z"}, "/until"),
        ({"until": "tomorrow"}, "/until"),
        ({"reason": ""}, "/reason"),
        ({"till": "x"}, "/till"),
    ):
        refused = await client.post("/v1/jobs/j/pause", json=wrong)
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"][0]["pointer"] == pointer
