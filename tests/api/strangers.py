"""Raw sockets against a served API: what no HTTP client would send, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tests.api.served import DEADLINE_S
from tests.api.single_node import ADMIN_TOKEN

HALF_A_LOGIN = b"POST /v1/session HTTP/1.1\r\nHost: n\r\nContent-Length: 100\r\n\r\n{"


class Raw:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self) -> tuple[int, dict[str, str], bytes]:
        """The next reply: status, headers, body."""
        async with asyncio.timeout(DEADLINE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head[1:])
                if name
            }
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
            return int(head[0].split()[1]), headers, body

    async def rest(self) -> bytes:
        """Everything until the other side ends the connection."""
        data = b""
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(ConnectionError):
                while chunk := await self.reader.read(1 << 16):
                    data += chunk
        return data

    @property
    def is_over(self) -> bool:
        return self.reader.at_eof() or self.reader.exception() is not None


@contextlib.asynccontextmanager
async def strangers(url: str, count: int = 1, own: str | None = None) -> AsyncIterator[list[Raw]]:
    """So many connections, which end with the block. `own`: the address that they come from."""
    address = urlsplit(url)
    local = None if own is None else (own, 0)
    found: list[Raw] = []
    try:
        for _ in range(count):
            streams = await asyncio.open_connection(address.hostname, address.port, local_addr=local)
            found.append(Raw(*streams))
        yield found
    finally:
        for each in found:
            each.writer.transport.abort()


def request(
    line: str, *headers: str, body: bytes = b"", token: str | None = ADMIN_TOKEN, length: int | None = None
) -> bytes:
    """A request's bytes; `length`: more than the body has."""
    lines = [f"{line} HTTP/1.1", "Host: n", *headers]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body or length is not None:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def asked(url: str, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """The reply to these bytes, over a connection of their own."""
    async with strangers(url) as (one,):
        one.send(data)
        return await one.reply()


async def until(condition: object, what: str) -> None:
    """Wait for what a function says."""
    assert callable(condition)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.02)
    assert condition(), what
