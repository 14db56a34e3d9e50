"""When runs start, as clients see it: windows, and what is required."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.api.single_node import SingleNode
from tests.api.working import connect

CLOSED = {"windows": ["Mon 00:00-00:01"], "tz": "Europe/Berlin", "outside": "wait"}
"""Open for a minute a week."""


async def put(client: httpx2.AsyncClient, **fields: Any) -> None:
    reply = await client.put("/v1/jobs/j", json={"noop": True, **fields})
    assert reply.status_code in (200, 201), reply.text


async def made(client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    reply = await client.post("/v1/jobs/j/runs", json=body)
    assert reply.status_code == 201, reply.text
    told: dict[str, Any] = reply.json()
    return told


async def gates(client: httpx2.AsyncClient, run: int) -> list[dict[str, Any]]:
    told = (await client.get(f"/v1/runs/{run}/explain")).json()["gates"]
    return [gate for gate in told if gate["state"] != "ready"]


async def test_a_run_outside_of_its_window_waits_and_is_let_pass(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    connect(node)
    await put(client, policies={"admission": CLOSED, "overlap": "allow"})
    run = await made(client)
    assert (run["state"], run["waiting"], run["tasks"]["main"]["state"]) == ("pending", True, "blocked")
    (gate,) = await gates(client, run["id"])
    assert gate["gate"] == "admission"
    assert gate["reason"] == "outside of its admission windows: Mon 00:00-00:01 (Europe/Berlin)"
    assert gate["opens_at"] is not None
    assert (await made(client, ignore_admission=True))["waiting"] is False
    told = (await client.post(f"/v1/runs/{run['id']}/release", json={})).json()
    assert told["waiting"] is False


async def test_what_is_no_word_about_windows_is_refused(client: httpx2.AsyncClient) -> None:
    await put(client)
    reply = await client.post("/v1/jobs/j/runs", json={"ignore_admission": "yes"})
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/ignore_admission")


async def test_what_a_run_requires_is_told_and_a_release_lets_it_go(client: httpx2.AsyncClient) -> None:
    assert (await client.put("/v1/boards/stock", json={})).status_code == 201
    await put(client, requires=[{"notice": "stock", "key": "k", "consume": True}])
    run = await made(client)
    assert run["waiting"] is True
    (gate,) = await gates(client, run["id"])
    assert (gate["gate"], gate["reason"]) == ("requires", "it requires a notice on board stock with key k")
    assert (await client.post(f"/v1/runs/{run['id']}/release", json={})).json()["waiting"] is False


async def test_a_requirement_that_is_not_there_is_refused_with_its_place(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/hourly-load", json={"noop": True})
    reply = await client.put("/v1/jobs/j", json={"noop": True, "requires": [{"job": "hourly-laod"}]})
    assert reply.status_code == 422, reply.text
    (error,) = reply.json()["errors"]
    assert error["pointer"] == "/requires/0/job"
    assert "hourly-load" in f"{error} {reply.json()['hint']}"
