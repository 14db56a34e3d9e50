"""Who comes behind a thousand others is seen soon: many connections are accepted in one turn of the loop."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

import uvicorn
import uvloop

from api.crowd import Connections
from api.handshakes import ACCEPTED_MAX
from api.server import Server, settings
from tests.api.served import DEADLINE_S, listening_socket

CLIENTS = 300
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n"


async def answer(scope: dict[str, object], receive: object, send: object) -> None:
    """An application that answers everything with nothing."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


class Counted(Connections):
    """Counts the connections that came in each turn of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = 0
        self.in_turn: Counter[int] = Counter()

    def came(self, connection: object) -> None:
        self.in_turn[self.turn] += 1
        super().came(connection)  # type: ignore[arg-type]

    def next_turn(self) -> None:
        self.turn += 1
        asyncio.get_running_loop().call_soon(self.next_turn)


async def story() -> Counter[int]:
    counted = Counted()
    with listening_socket() as listener:
        listener.listen(CLIENTS)
        server = Server(uvicorn.Config(answer, lifespan="off", **settings(counted)), counted)
        clients = [socket.create_connection(listener.getsockname()) for _ in range(CLIENTS)]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        counted.next_turn()
        async with asyncio.timeout(DEADLINE_S):
            while counted.in_turn.total() < CLIENTS:
                await asyncio.sleep(0)
            loop = asyncio.get_running_loop()
            for client in (clients[0], clients[-1]):
                client.setblocking(False)
                await loop.sock_sendall(client, HEALTH)
                assert (await loop.sock_recv(client, 1_000)).startswith(b"HTTP/1.1 204 ")
        for client in clients:
            client.close()
        server.end()
        async with asyncio.timeout(DEADLINE_S):
            await serving
    return counted.in_turn


def test_connections_that_wait_together_are_accepted_many_in_a_turn() -> None:
    """By the loop of a front: uvloop alone takes one in a turn."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        in_turn = runner.run(story())
    assert len(in_turn) <= 3 * CLIENTS / ACCEPTED_MAX
    assert max(in_turn.values()) <= 2 * ACCEPTED_MAX  # nor all at once
