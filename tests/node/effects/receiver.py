"""An HTTP server that a test tells how to answer: on 127.0.0.1, over sockets, with TLS where asked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Heard:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers`: for one request after the other, then the last one for ever: a status, with header lines;
    or `hang`, `reset`, `half` (of a head) and `endless` (a body)."""

    answers: list[str] = field(default_factory=lambda: ["204 No Content"])
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    scheme: str = "http"
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook?a=b", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.heard.append(Heard(line, headers, body))
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if answer == "hang":
            await self.over.wait()
        elif answer == "reset":
            at_once = struct.pack("ii", 1, 0)  # no orderly end: RST
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()
        elif answer == "half":
            writer.write(b"HTTP/1.1 200")
            await writer.drain()
        elif answer == "endless":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not self.over.is_set():
                writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                await writer.drain()
        else:
            writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()


@contextlib.asynccontextmanager
async def receiving(*answers: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    if answers:
        receiver.answers = list(answers)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    receiver.scheme = "http" if tls is None else "https"
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.close()
