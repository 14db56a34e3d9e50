"""Many jobs at once: paused, resumed, run, by their names or by a filter."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.routes import bulk
from tests.api.single_node import SingleNode

NOOP: dict[str, Any] = {"noop": True}


async def change(client: httpx2.AsyncClient, query: str = "", **body: Any) -> dict[str, Any]:
    reply = await client.post(f"/v1/bulk{query}", json=body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def put(client: httpx2.AsyncClient, *names: str, **fields: Any) -> None:
    for name in names:
        assert (await client.put(f"/v1/jobs/{name}", json={**NOOP, **fields})).status_code == 201


async def state(client: httpx2.AsyncClient, name: str) -> str:
    return str((await client.get(f"/v1/jobs/{name}")).json()["state"])


async def test_a_filter_says_which_jobs_are_paused(client: httpx2.AsyncClient) -> None:
    await put(client, "a", "b", labels={"team": "data"})
    await put(client, "c", labels={"team": "web"})

    shown = await change(client, "?dry_run=true", action="pause", labels="team=data")
    assert [(each["job"], each["done"]) for each in shown["items"]] == [("a", False), ("b", False)]
    assert await state(client, "a") != "paused"

    done = await change(client, action="pause", labels="team=data")
    assert [(each["job"], each["done"]) for each in done["items"]] == [("a", True), ("b", True)]
    assert done["more"] is False
    assert [await state(client, name) for name in ("a", "b")] == ["paused", "paused"]
    assert await state(client, "c") != "paused"

    back = await change(client, action="resume", state="paused")
    assert [each["job"] for each in back["items"]] == ["a", "b"]
    assert await state(client, "a") != "paused"


async def test_jobs_are_run_by_name_and_each_says_its_run_or_why_not(client: httpx2.AsyncClient) -> None:
    await put(client, "plain", "other")
    await put(client, "asks", params={"day": {"type": "string", "required": True}})

    done = await change(client, action="run", jobs=["plain", "asks", "other"])

    first, asks, last = done["items"]
    assert first["done"]
    assert last["done"]
    assert asks["done"] is False
    assert "day" in asks["detail"]
    for item in (first, last):
        assert (await client.get(f"/v1/runs/{item['run']}")).json()["job"] == item["job"]


async def test_the_same_key_runs_each_job_once(client: httpx2.AsyncClient) -> None:
    await put(client, "a", "b")
    body = {"action": "run", "jobs": ["a", "b"]}
    headers = {"Idempotency-Key": "click-1"}
    once = (await client.post("/v1/bulk", json=body, headers=headers)).json()
    again = (await client.post("/v1/bulk", json=body, headers=headers)).json()
    assert [each["run"] for each in once["items"]] == [each["run"] for each in again["items"]]
    assert len((await client.get("/v1/runs")).json()["items"]) == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "pause"}, "/jobs"),
        ({"action": "delete", "q": "a"}, "/action"),
        ({"q": "a"}, "/action"),
        ({"action": "pause", "jobs": []}, "/jobs"),
        ({"action": "pause", "jobs": "a"}, "/jobs"),
        ({"action": "pause", "jobs": [1]}, "/jobs"),
        ({"action": "pause", "jobs": ["a"], "q": "a"}, "/jobs"),
        ({"action": "pause", "failing": "yes"}, "/failing"),
        ({"action": "pause", "labels": 7}, "/labels"),
        ({"action": "pause", "lables": "a=b"}, "/lables"),
        ({"action": "pause", "state": "asleep"}, "?state"),
    ],
)
async def test_what_is_not_said_rightly_changes_nothing(
    client: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    await put(client, "a")
    reply = await client.post("/v1/bulk", json=body)
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/validation"), reply.text
    assert reply.json()["errors"][0]["pointer"] == pointer
    assert await state(client, "a") != "paused"


async def test_a_name_that_there_is_not_is_refused_before_anything_is_done(
    client: httpx2.AsyncClient,
) -> None:
    await put(client, "a")
    reply = await client.post("/v1/bulk", json={"action": "pause", "jobs": ["a", "none"]})
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (404, "/jobs/1")
    assert await state(client, "a") != "paused"


async def test_more_than_fit_are_told_of(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "JOBS_MAX", 2)
    await put(client, "a", "b", "c")
    first = await change(client, action="pause", state="unplaceable")
    assert ([each["job"] for each in first["items"]], first["more"]) == (["a", "b"], True)
    rest = await change(client, action="pause", state="unplaceable")
    assert ([each["job"] for each in rest["items"]], rest["more"]) == (["c"], False)


async def test_without_a_leader_each_says_so(client: httpx2.AsyncClient, node: SingleNode) -> None:
    await put(client, "a")
    node.quorum = False
    reply = await client.post("/v1/bulk?consistency=stale", json={"action": "pause", "jobs": ["a"]})
    (item,) = reply.json()["items"]
    assert (item["done"], item["detail"]) == (False, "no leader answered in time")
