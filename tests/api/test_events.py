"""The event stream over a real server: order, resuming anywhere, reset, the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from api.app import Api
from tests.api.served import DEADLINE_S, served
from tests.api.single_node import ADMIN_TOKEN, SingleNode

AUTHORIZATION = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


async def read(url: str, count: int, last: str | None = None, query: str = "") -> list[dict[str, Any]]:
    """The next `count` events of a new stream, with id and name."""
    async with reader(url, last, query) as events:
        return [await anext(events) for _ in range(count)]


class reader:
    def __init__(self, url: str, last: str | None = None, query: str = "") -> None:
        self._client = httpx2.AsyncClient(timeout=DEADLINE_S)
        headers = {**AUTHORIZATION, **({"Last-Event-ID": last} if last else {})}
        self._request = self._client.build_request("GET", f"{url}/v1/events{query}", headers=headers)
        self._response: httpx2.Response | None = None

    async def __aenter__(self) -> AsyncIterator[dict[str, Any]]:
        self._response = await self._client.send(self._request, stream=True)
        assert self._response.headers["content-type"].startswith("text/event-stream")
        return self._events(self._response)

    async def _events(self, response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield {**json.loads(fields["data"]), "id": fields["id"], "event": fields["event"]}
                fields = {}

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            await self._response.aclose()
        await self._client.aclose()


async def test_events_come_in_order_and_a_stream_resumes_behind_an_id(
    url: str, client: httpx2.AsyncClient
) -> None:
    async with reader(url) as events:
        hello = await anext(events)
        assert hello["event"] == "hello"
        await client.put("/v1/jobs/job", json={"noop": True})
        await client.post("/v1/jobs/job/runs")
        live = [await anext(events) for _ in range(3)]
    assert [event["event"] for event in live] == ["job_put", "run_created", "task_queued"]
    assert live[1]["due"].endswith("Z")
    assert (live[1]["cause"], live[1]["cause_key"]) == ("manual", None)
    ids = [tuple(map(int, event["id"].split("."))) for event in live]
    assert ids == sorted(ids)
    assert await read(url, 3, hello["id"]) == live
    assert await read(url, 2, live[0]["id"]) == live[1:]
    assert (await read(url, 1, hello["id"], "?types=run_created")) == [live[1]]


async def test_a_lost_history_is_a_reset(url: str, client: httpx2.AsyncClient, node: SingleNode) -> None:
    await client.put("/v1/jobs/job", json={"noop": True})
    node.forget_history()
    assert [event["event"] for event in await read(url, 1, "1.0")] == ["reset"]
    await client.post("/v1/jobs/job/runs")
    reset, kept = await read(url, 2, "1.0")
    assert (reset["event"], kept["event"]) == ("reset", "run_created")
    assert await read(url, 1, reset["id"]) == [kept], "a reset is told once"


async def test_streams_end_when_the_node_stops(url: str, api: Api) -> None:
    async with reader(url) as events:
        await anext(events)
        api.services.gateway.close()
        async with asyncio.timeout(DEADLINE_S):
            assert [event async for event in events] == []
