"""Load: closed-loop clients, each on one keep-alive connection, cheap enough to share the machine.

Rules: requests are made as bytes by the caller, replies are cut by Content-Length only; a client sends its
next request when the last one was answered. The generator's own CPU share is measured, since on a
small machine it is taken from the product.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

ANSWER_S = 30.0


@dataclass(slots=True)
class Traffic:
    """What a closed loop did."""

    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0  #: of the generator itself

    @property
    def rate(self) -> float:
        return self.accepted / self.wall_s if self.wall_s else 0.0

    @property
    def cpu_share(self) -> float:
        """Share of one core that the generator took."""
        return self.cpu_s / self.wall_s if self.wall_s else 0.0


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection with one request in flight."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        status = int(self._buffer[9:12])
        head = self._buffer[:head_end].lower()
        at = head.find(b"content-length:")
        if at >= 0:
            stop = head.find(b"\r\n", at)
            length = int(head[at + 15 : stop if stop >= 0 else len(head)])
        elif b"transfer-encoding: chunked" in head:
            self._fail(ConnectionError("a chunked reply, which this generator does not read"))
            return
        else:
            length = 0
        end = head_end + 4 + length
        if len(self._buffer) >= end:
            body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
            waiting, self._waiting = self._waiting, None
            if waiting is not None and not waiting.done():
                waiting.set_result((status, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("closed by the node"))

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """The status and body of the answer."""
        assert self._transport is not None
        waiting: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._transport.write(request)
        async with asyncio.timeout(ANSWER_S):
            return await waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def request(method: str, url: str, path: str, token: str, body: bytes = b"") -> bytes:
    """The bytes of one request."""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def closed_loop(
    urls: Sequence[str], clients: int, duration_s: float, make: Callable[[str, int], bytes | None]
) -> Traffic:
    """`clients` loops, spread over the nodes, for `duration_s` or until `make(url, number)` gives None.

    `number` counts requests over all clients from 0. A dead connection ends its client."""
    traffic = Traffic()
    numbers = iter(range(1 << 62))

    async def client(url: str, until_s: float) -> None:
        loop = asyncio.get_running_loop()
        parts = urlsplit(url)
        _, connection = await loop.create_connection(Connection, parts.hostname or "", parts.port or 80)
        try:
            while loop.time() < until_s:
                message = make(url, next(numbers))
                if message is None:
                    return
                sent_s = loop.time()
                status, body = await connection.send(message)
                if status < 300:
                    traffic.accepted += 1
                    traffic.latencies_ms.append((loop.time() - sent_s) * 1000)
                else:
                    reason = f"{status} {body[:200].decode(errors='replace')}"
                    traffic.refused[reason] = traffic.refused.get(reason, 0) + 1
        except (OSError, TimeoutError) as error:
            traffic.refused[repr(error)] = traffic.refused.get(repr(error), 0) + 1
        finally:
            connection.close()

    async def everyone() -> None:
        until_s = asyncio.get_running_loop().time() + duration_s
        await asyncio.gather(*(client(urls[i % len(urls)], until_s) for i in range(clients)))

    started_s, cpu_s = time.monotonic(), time.process_time()
    asyncio.run(everyone())
    traffic.wall_s = time.monotonic() - started_s
    traffic.cpu_s = time.process_time() - cpu_s
    return traffic
