"""Sockets accepted here and handed to the loop: many in a turn, and with TLS counted from their first moment.

uvicorn has the loop accept. uvloop takes one connection in each turn (findings/accepts.sh): behind a thousand
that come together a health check waits for a thousand turns. And with TLS nobody knows of a connection before
its handshake is done, which may take a minute. Rules: a handshake is a stranger's connection like any other,
and goes first where there are too many; it ends with the protocol of the server, or within `HANDSHAKE_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Sequence

from api.crowd import NEVER_S, Connections, origin

HANDSHAKE_S = 10.0
ACCEPTED_MAX = 50  #: in one turn: some 10 ms
SHORT_OF_FILES_S = 0.1  #: until the next try where the process may open no more


class _Handshake:
    """One that is under way."""

    due_s = NEVER_S  #: the loop sees to the time
    keeps_waiting = True

    def __init__(self, sock: socket.socket, address: str) -> None:
        self._socket = sock
        self.address = address

    @property
    def is_closing(self) -> bool:
        return False

    def overdue(self) -> None:
        self.abort()

    def abort(self) -> None:
        with contextlib.suppress(OSError):  # its end is seen by whoever waits for the handshake
            self._socket.shutdown(socket.SHUT_RDWR)

    def proved(self) -> None:
        """Nobody has said anything yet."""


class Listener:
    """What `asyncio.Server` is for uvicorn, over sockets of its own."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        connections: Connections,
        tls: ssl.SSLContext | None,
        protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        """Listens from now on. `sockets`: bound, and its own to close."""
        self.sockets = tuple(sockets)
        self._connections, self._tls, self._protocol = connections, tls, protocol
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        for each in self.sockets:
            each.setblocking(False)
            each.listen(2048)
            self._resume(each)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            for each in self.sockets:
                self._loop.remove_reader(each)
                each.close()
            for task in self._tasks:
                task.cancel()

    async def wait_closed(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _resume(self, listener: socket.socket) -> None:
        if self._is_open:
            self._loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_MAX):
            try:
                accepted, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no more files: what waits in the kernel's queue waits on
                self._loop.remove_reader(listener)
                self._loop.call_later(SHORT_OF_FILES_S, self._resume, listener)
                return
            accepted.setblocking(False)
            task = self._loop.create_task(self._open(accepted, str(peer[0])), name="opening")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self, accepted: socket.socket, address: str) -> None:
        if self._tls is not None:
            await self._shake_hands(accepted, address, self._tls)
            return
        try:
            await self._loop.connect_accepted_socket(self._protocol, accepted)
        except OSError:
            accepted.close()

    async def _shake_hands(self, accepted: socket.socket, address: str, tls: ssl.SSLContext) -> None:
        handshake = _Handshake(accepted, origin(address))
        self._connections.came(handshake)
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, accepted, ssl=tls, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (OSError, EOFError):  # ssl.SSLError and time-outs among them
            accepted.close()
        finally:
            self._connections.went(handshake)


async def bound_sockets(host: str, port: int) -> list[socket.socket]:
    """On every address of the host's name, as the loop would bind them. Raises OSError."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
    found = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]
    server.close()
    return found
