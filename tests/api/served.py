"""A real uvicorn on loopback, in the test's own event loop, and an agent that speaks by hand."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import uvicorn
import websockets
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.app import Api
from api.crowd import Connections
from api.server import Server, settings
from scheduler import protocol as p
from tests.api.single_node import ADMIN_TOKEN, CLUSTER
from tests.scheduler.story import KINDS

PORTS = range(23_000, 24_000)
DEADLINE_S = 60.0


def listening_socket() -> socket.socket:
    """A socket on a free port of this folder's range."""
    for port in PORTS:
        # Without the protocol asyncio leaves Nagle on: an answer in two parts waits 40 ms for the client.
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            found.close()
            continue
        found.listen(64)
        return found
    raise RuntimeError("no free port from 23000 to 23999")


@contextlib.asynccontextmanager
async def served(
    api: Api, connections: Connections | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """The API's address while it is served."""
    with listening_socket() as listener:
        host, port = listener.getsockname()
        counted = Connections() if connections is None else connections
        options = uvicorn.Config(api, lifespan="on", timeout_graceful_shutdown=5, **settings(counted))
        server = Server(options, counted, tls)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(DEADLINE_S):
            while not server.started:
                await asyncio.sleep(0.01)
        try:
            yield f"{'http' if tls is None else 'https'}://{host}:{port}"
        finally:
            api.services.gateway.close()
            server.end()
            async with asyncio.timeout(DEADLINE_S):
                await serving


def session(number: int) -> str:
    return p.session_name(number, "0" * 16)


def key_of(words: str) -> Ed25519PrivateKey:
    """The key of the installation that a test calls by these words."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(words.encode()).digest())


class HandAgent:
    """The agent's side of the protocol, one step at a time."""

    def __init__(self, url: str, *, token: str = ADMIN_TOKEN, name: str = "agent-1") -> None:
        self.url = url.replace("http", "ws", 1) + "/v1/agent"
        self.token = token
        self.name = name
        self.key = key_of(name)
        self.session = session(1)
        self.socket: websockets.ClientConnection | None = None
        self.kept: list[p.Message] = []

    @property
    def installation(self) -> str:
        return p.installation_of(self.key.public_key().public_bytes_raw())

    async def __aenter__(self) -> HandAgent:
        self.socket = await websockets.connect(
            self.url,
            subprotocols=[websockets.Subprotocol(p.SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {self.token}"},
            compression=None,
            open_timeout=DEADLINE_S,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.socket is not None
        await self.socket.close()

    async def send(self, *messages: p.Message) -> None:
        assert self.socket is not None
        await self.socket.send(p.encode(list(messages)))

    def unsigned(self, **fields: Any) -> p.Hello:
        """Its Hello without a proof. `fields`: others than usual."""
        usual = p.Hello(
            version=p.VERSION,
            name=self.name,
            installation=self.installation,
            session=self.session,
            boot_id="boot-1",
            zone="zone-a",
            pool="default",
            labels={"os": "linux"},
            slots=4,
            software="0.1.0",
            index=0,
            cluster=CLUSTER,
            restores=0,
            held=(),
            key=self.key.public_key().public_bytes_raw(),
            kinds=KINDS,
        )
        return dataclasses.replace(usual, **fields)

    async def challenged(self) -> bytes:
        """The nonce of the node's first word."""
        asked = await self.expect(p.Challenge)
        assert isinstance(asked, p.Challenge)
        return asked.nonce

    def signed(self, hello: p.Hello, nonce: bytes) -> p.Hello:
        return dataclasses.replace(hello, proof=self.key.sign(p.to_sign(hello, nonce)))

    async def hello(self, **fields: Any) -> p.Message:
        """Say hello; the answer is Welcome, Leave or Recount. `fields`: others than usual."""
        hello, nonce = self.unsigned(**fields), await self.challenged()
        if not hello.proof:
            hello = self.signed(hello, nonce)
        await self.send(hello)
        return await self.expect(p.Welcome, p.Leave, p.Recount)

    async def expect(self, *kinds: type[p.Message]) -> p.Message:
        """The next message of these kinds; others are kept for later."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for position, message in enumerate(self.kept):
                    if isinstance(message, kinds):
                        return self.kept.pop(position)
                assert self.socket is not None
                frame = await self.socket.recv()
                assert isinstance(frame, bytes)
                self.kept += p.decode(frame)

    async def until_closed(self) -> list[p.Message]:
        """Everything that still came."""
        assert self.socket is not None
        with contextlib.suppress(websockets.ConnectionClosed):
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    frame = await self.socket.recv()
                    assert isinstance(frame, bytes)
                    self.kept += p.decode(frame)
        return self.kept
