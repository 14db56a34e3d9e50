"""A node as an agent sees it: scheduler.protocol over a real WebSocket, and nothing behind it.

It keeps every message in `heard`, grants what is claimed (unless told otherwise) and acknowledges ends.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from scheduler.protocol import (
    FRAME_BYTES_MAX,
    SUBPROTOCOL,
    Ack,
    Assign,
    Challenge,
    Claim,
    Finished,
    Grant,
    Hello,
    Message,
    Ping,
    Pong,
    Ran,
    Recount,
    Running,
    Silent,
    Welcome,
    decode,
    encode,
)

M = TypeVar("M")
DEADLINE_S = 60.0


def bound_socket() -> socket.socket:
    """A socket on a port of this suite's range: nobody else gets it, and it refuses who comes early."""
    for port in range(22000 + time.time_ns() // 1000 % 900, 23000):
        found = socket.socket()
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            found.close()
            continue
        return found
    raise AssertionError("no free port")


class FakeNode:
    def __init__(self, *, token: str = "secret", tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._listener = bound_socket()
        self.port: int = self._listener.getsockname()[1]
        self.token = token
        self.heard: list[Message] = []
        self.hellos: list[Hello] = []
        self.grants = True
        self.acknowledges = True
        self.pongs = True
        self.clock_ahead_ms = 0
        self.index = 1
        self.cluster = "cluster-a"
        self.restores = 0
        self.lineage = ""
        self.nonce = b"n" * 32
        self.says: dict[type[Message], bytes] = {}  #: frames in place of its answers to these
        self.recounts = False  #: ask every agent what it ran before it is welcomed
        self.addresses: tuple[str, ...] = (self.url,)
        self._sockets: set[ServerConnection] = set()
        self._server: Server | None = None
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FakeNode:
        self._server = await serve(
            self._talk,
            sock=self._listener,
            ssl=self._tls,
            process_request=self._authorize,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            close_timeout=0.2,
            max_size=FRAME_BYTES_MAX,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        for _turn in range(5):  # a connection waiting to be accepted must become the server's, to be closed
            await asyncio.sleep(0)
        self._server.close()
        await self._server.wait_closed()

    async def close_sockets(self) -> None:
        for open_socket in list(self._sockets):
            await open_socket.close()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.clock_ahead_ms

    def _authorize(self, connection: ServerConnection, request: Request) -> Response | None:
        assert request.path == "/v1/agent"
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return connection.respond(401, "token")
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        self._sockets.add(connection)
        try:
            await connection.send(encode([Challenge(self.nonce)]))
            async for frame in connection:
                assert isinstance(frame, bytes)
                answers: list[Message] = []
                for message in decode(frame):
                    answers += self.answer(message)
                    if type(message) in self.says:
                        answers.clear()
                        await connection.send(self.says[type(message)])
                if answers:
                    with suppress(ConnectionClosed):  # what it sent before is heard all the same
                        await connection.send(encode(answers))
                async with self._changed:
                    self._changed.notify_all()
        except ConnectionClosed:
            pass  # the agent was killed
        finally:
            self._sockets.discard(connection)

    def answer(self, message: Message) -> list[Message]:
        self.heard.append(message)
        if isinstance(message, Hello):
            self.hellos.append(message)
            return [self._recount(0)] if self.recounts else [self._welcome()]
        if isinstance(message, Ran):
            return [self._recount(message.page + 1)] if message.more else [self._welcome()]
        if isinstance(message, Ping) and self.pongs:
            return [Pong(message.sent_ms, self.now_ms(), self.index)]
        if isinstance(message, Claim) and self.grants:
            self.index += 1
            told = {"CRONCLAVE_JOB": "job", "CRONCLAVE_ATTEMPT": str(message.attempt)}
            return [Grant(message.attempt, message.claim, 1000 + message.attempt, self.index, told)]
        if isinstance(message, Finished | Running | Silent) and self.acknowledges:
            self.index += 1
            return [Ack((message.event,), self.index)]
        return []

    def _welcome(self) -> Welcome:
        return Welcome(1, self.cluster, self.restores, self.index, "fake", self.addresses, self.lineage)

    def _recount(self, page: int) -> Recount:
        return Recount(self.cluster, self.restores, self.lineage, 0, 0, page)

    async def send(self, *messages: Message) -> None:
        """Push to every agent that is connected. As from a node, what meets a closing connection is lost."""
        for open_socket in list(self._sockets):
            with suppress(ConnectionClosed):
                await open_socket.send(encode(list(messages)))

    def all(self, kind: type[M], attempt: int | None = None) -> list[M]:
        return [
            m
            for m in self.heard
            if isinstance(m, kind) and (attempt is None or getattr(m, "attempt", None) == attempt)
        ]

    async def until(self, condition: Callable[[], object]) -> None:
        async def wait() -> None:
            async with self._changed:
                while not condition():
                    await self._changed.wait()

        await asyncio.wait_for(wait(), DEADLINE_S)

    async def connected(self, times: int = 1) -> None:
        await self.until(lambda: len(self.hellos) >= times and isinstance(self.heard[-1], Ping))

    async def finished(self, attempt: int) -> Finished:
        await self.until(lambda: self.all(Finished, attempt))
        return self.all(Finished, attempt)[0]


def assign(attempt: int, work: dict[str, Any], **changes: Any) -> Assign:
    values: dict[str, Any] = {
        "attempt": attempt,
        "run": attempt,
        "job": "job",
        "namespace": "default",
        "task": "main",
        "member": "",
        "round": 0,
        "number": 1,
        "tick_ms": None,
        "due_ms": time.time_ns() // 1_000_000,
        "work": work,
        "timeout_ms": None,
        "grace_ms": 5_000,
        "kill_on_lease_end": False,
        "output_bytes_max": 1 << 20,
    }
    return Assign(**{**values, **changes})


def shell(attempt: int, line: str, **changes: Any) -> Assign:
    return assign(attempt, {"kind": "shell", "run": line}, **changes)
