"""A server that nobody asks wakes once a second, and ends when it is told to."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn

from api.crowd import Connections
from api.server import TICK_S, Server, settings
from tests.api.served import DEADLINE_S, listening_socket


class Counting(Server):
    ticks = 0

    async def on_tick(self, counter: int) -> bool:
        self.ticks += 1
        return await super().on_tick(counter)


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Nobody asks."""


async def test_an_idle_server_wakes_once_a_second_and_ends_when_told() -> None:
    connections = Connections()
    with listening_socket() as listener:
        server = Counting(uvicorn.Config(answer, lifespan="off", **settings(connections)), connections)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(DEADLINE_S):
            while server.ticks < 3:
                await asyncio.sleep(0.05)
            assert loop.time() - began_s >= 2 * TICK_S
            assert dict(server.server_state.default_headers)[b"date"]
            server.end()
            await serving
