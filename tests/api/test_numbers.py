"""Numbers that no row has, in every place that takes one: an answer that says so, no error of the server."""

from __future__ import annotations

import base64
import json

import httpx2
import pytest

from api.app import Api
from scheduler import protocol as p
from tests.api.served import HandAgent, served

NUMBERS = [str(1 << 62), str(1 << 63), str(1 << 64), str(10**30), "9" * 5_000, "0" * 20 + "9" * 30]


def cursor(kind: str, *key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps([kind, *key]).encode()).decode().rstrip("=")


@pytest.fixture
async def a_job(client: httpx2.AsyncClient) -> None:
    made = await client.put("/v1/jobs/j", json={"noop": True})
    assert made.status_code == 201


@pytest.mark.usefixtures("a_job")
@pytest.mark.parametrize("number", NUMBERS, ids=lambda text: f"{len(text)} digits")
async def test_a_number_beyond_all_rows_is_told_to_be_one(client: httpx2.AsyncClient, number: str) -> None:
    run = (await client.post("/v1/jobs/j/runs")).json()["id"]
    for path in (
        f"/v1/runs/{number}",
        f"/v1/runs/{number}/logs",
        f"/v1/jobs/j?revision={number}",
        f"/v1/jobs/j?wait={number}ms&index=1",
        f"/v1/jobs/j?wait={number}h&index=1",
        f"/v1/jobs/j?wait={number}&index=1",
        f"/v1/jobs/j/next?count={number}",
        f"/v1/runs/{run}/logs?attempt={number}",
        f"/v1/runs/{run}/logs?offset={number}",
        f"/v1/runs?limit={number}",
    ):
        reply = await client.get(path)
        assert reply.status_code in (404, 422), f"{path[:80]}: {reply.status_code} {reply.text[:300]}"
    for path in (f"/v1/runs/{number}/cancel", f"/v1/runs/{number}/resolve"):
        reply = await client.post(path)
        assert reply.status_code in (404, 422), f"{path[:80]}: {reply.status_code} {reply.text[:300]}"
    refused = await client.delete("/v1/jobs/j", headers={"If-Match": f'"{number}"'})
    assert refused.status_code == 422


@pytest.mark.usefixtures("a_job")
@pytest.mark.parametrize("number", [1 << 63, 1 << 64, 10**30, -(1 << 63), -(10**30)])
async def test_a_cursor_with_a_number_beyond_all_rows_is_refused(
    client: httpx2.AsyncClient, number: int
) -> None:
    for path in (
        f"/v1/runs?cursor={cursor('runs', number)}",
        f"/v1/jobs/j/revisions?cursor={cursor('revisions', number)}",
        f"/v1/jobs/j/ticks?cursor={cursor('ticks', number, 1)}",
    ):
        reply = await client.get(path)
        assert reply.status_code == 422, f"{path}: {reply.status_code} {reply.text[:300]}"


@pytest.mark.usefixtures("a_job")
async def test_no_reader_of_output_ends_the_socket_of_its_agent(api: Api, client: httpx2.AsyncClient) -> None:
    """An offset that no message can carry is refused before the agent is asked."""
    async with served(api) as url, HandAgent(url) as agent:
        assert isinstance(await agent.hello(), p.Welcome)
        run = (await client.post("/v1/jobs/j/runs")).json()["id"]
        await agent.expect(p.Assign)

        reply = await client.get(f"/v1/runs/{run}/logs?offset={10**30}")

        assert reply.status_code == 422
        await agent.send(p.Ping(1, 0))
        assert isinstance(await agent.expect(p.Pong), p.Pong)
