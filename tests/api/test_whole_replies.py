"""A small request that is here is answered in one piece, and says what it would have said in two."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from api.app import Api
from api.crowd import Connections
from tests.api.served import DEADLINE_S, served
from tests.api.single_node import ADMIN_TOKEN

OF_THE_CONNECTION = frozenset({"date", "connection", "content-length", "location", "x-cronclave-index"})


def request(path: str, body: bytes, *headers: str, method: str = "POST", version: str = "1.1") -> bytes:
    lines = [
        f"{method} {path} HTTP/{version}", "Host: node-1", f"Authorization: Bearer {ADMIN_TOKEN}",
        "Content-Type: application/json", f"Content-Length: {len(body)}", *headers,
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode() + body


async def reply(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


class Spoken:
    """One connection to the served API."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.removeprefix("http://").partition(":")

    async def __aenter__(self) -> Spoken:
        self.reader, self.writer = await asyncio.open_connection(self._host, int(self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def ask(self, *requests: bytes) -> list[tuple[int, dict[str, str], bytes]]:
        self.writer.write(b"".join(requests))
        async with asyncio.timeout(DEADLINE_S):
            return [await reply(self.reader) for _ in requests]


async def test_both_ways_say_the_same(api: Api, client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json={"noop": True})
    two_pieces = await client.post("/v1/jobs/job/runs", json={})
    async with served(api, Connections()) as address, Spoken(address) as spoken:
        [(status, headers, body)] = await spoken.ask(request("/v1/jobs/job/runs", b"{}"))

    def said(headers: Any) -> dict[str, str]:
        return {name: value for name, value in dict(headers).items() if name not in OF_THE_CONNECTION}

    assert (status, said(headers)) == (two_pieces.status_code, said(two_pieces.headers))
    assert {*headers, "connection"} >= OF_THE_CONNECTION
    assert body.startswith(b'{"id":2,"job":"job",')


async def test_what_is_sent_ahead_is_answered_in_order(api: Api, client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json={"noop": True})
    runs = [request("/v1/jobs/job/runs", b"{}") for _ in range(3)]
    others = [request("/v1/cluster", b"", method="GET"), request("/v1/jobs/none/runs", b"")]

    async with served(api, Connections()) as address, Spoken(address) as spoken:
        replies = await spoken.ask(*runs[:2], *others, runs[2])

    assert [status for status, _, _ in replies] == [201, 201, 200, 404, 201]
    assert [headers.get("location") for _, headers, _ in replies] == [
        "/v1/runs/1", "/v1/runs/2", None, None, "/v1/runs/3",
    ]  # fmt: skip


@pytest.mark.parametrize(("extra", "version"), [("Connection: close", "1.1"), ("Accept: */*", "1.0")])
async def test_a_connection_that_is_to_end_ends_with_its_reply(
    api: Api, client: httpx2.AsyncClient, extra: str, version: str
) -> None:
    await client.put("/v1/jobs/job", json={"noop": True})
    async with served(api, Connections()) as address, Spoken(address) as spoken:
        [(status, headers, _)] = await spoken.ask(
            request("/v1/jobs/job/runs", b"{}", extra, version=version)
        )

        assert (status, headers["connection"]) == (201, "close")
        async with asyncio.timeout(DEADLINE_S):
            assert await spoken.reader.read() == b""


async def test_a_body_that_is_held_back_is_asked_for(api: Api, client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json={"noop": True})
    async with served(api, Connections()) as address, Spoken(address) as spoken:
        head = request("/v1/jobs/job/runs", b"{}", "Expect: 100-continue")[:-2]
        spoken.writer.write(head)
        async with asyncio.timeout(DEADLINE_S):
            assert await spoken.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

        assert [status for status, _, _ in await spoken.ask(b"{}")] == [201]


async def test_a_body_in_pieces_is_waited_for(api: Api, client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json={"noop": True, "params": {"size": {"type": "integer"}}})
    async with served(api, Connections()) as address, Spoken(address) as spoken:
        whole = request("/v1/jobs/job/runs", b'{"params": {"size": 7}}')
        for piece in (whole[:-20], whole[-20:-3]):
            spoken.writer.write(piece)
            await spoken.writer.drain()
            await asyncio.sleep(0.01)  # so that they come one by one; nothing is judged by it

        [(status, _, body)] = await spoken.ask(whole[-3:])

    assert (status, b'"params":{"size":7}' in body) == (201, True)
