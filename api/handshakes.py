"""Sockets accepted here and handed to the loop for TLS: counted from their first moment, and in time.

uvicorn has the loop accept, so that nobody knows of a connection before its handshake is done, and it may
take a minute. Rules: a handshake is a stranger's connection like any other, and goes first where there are
too many; it ends with the protocol of the server, or within `HANDSHAKE_S`.
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
ACCEPTED_MAX = 100  #: in one go
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


class TlsListener:
    """What `asyncio.Server` is for uvicorn, over sockets of its own."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        connections: Connections,
        tls: ssl.SSLContext,
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
            task = self._loop.create_task(self._shake_hands(accepted, origin(str(peer[0]))), name="tls")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _shake_hands(self, accepted: socket.socket, address: str) -> None:
        handshake = _Handshake(accepted, address)
        self._connections.came(handshake)
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, accepted, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_S
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
