"""The agent's connection to its spooler: one at a time, and a new one takes the place of the old.

Of the old one nothing unread is acted on: its sender is dead, and a start that is acted on after the state
was told would be one too many.
"""

from __future__ import annotations

import select
import socket
import time
from typing import Any

from agent.spool.wire import Unpacker, is_ours, pack

_READ_BYTES = 1 << 20
_AGAIN_S = 0.02


class Link:
    def __init__(self, listener: socket.socket, poll: select.epoll) -> None:
        self._listener = listener
        self._poll = poll
        self._connection: socket.socket | None = None
        self._unpacker = Unpacker()
        self._outgoing = bytearray()
        poll.register(listener.fileno(), select.EPOLLIN)

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def calls(self, handle: int) -> bool:
        """Whether an agent is at the door."""
        return handle == self._listener.fileno()

    def speaks(self, handle: int, events: int) -> bool:
        """Whether the one that is connected has said something, or hung up."""
        connection = self._connection
        return connection is not None and handle == connection.fileno() and bool(events & ~select.EPOLLOUT)

    def accept(self) -> bool:
        """Whether another agent's process is connected now."""
        try:
            connection, _ = self._listener.accept()
        except OSError:  # the host is out of descriptors, or the caller gave up: it comes again
            time.sleep(_AGAIN_S)
            return False
        if not is_ours(connection):
            connection.close()
            return False
        self._drop()
        connection.setblocking(False)
        self._connection = connection
        self._unpacker = Unpacker()
        self._poll.register(connection.fileno(), select.EPOLLIN)
        return True

    def _drop(self) -> None:
        if self._connection is not None:
            self._poll.unregister(self._connection.fileno())
            self._connection.close()
            self._connection = None
            self._outgoing.clear()

    def begin(self, state: list[Any]) -> None:
        """What was to be told before is in the state, which is told first."""
        self._outgoing.clear()
        self.tell(state)

    def tell(self, message: list[Any]) -> None:
        """By the next `send`; lost where nobody is connected."""
        if self._connection is not None:
            self._outgoing += pack(message)

    def send(self) -> None:
        """As much as goes without waiting."""
        if self._connection is None or not self._outgoing:
            return
        try:
            sent = self._connection.send(self._outgoing)
            del self._outgoing[:sent]
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop()
            return
        wanted = select.EPOLLIN | (select.EPOLLOUT if self._outgoing else 0)
        self._poll.modify(self._connection.fileno(), wanted)

    def receive(self) -> list[list[Any]]:
        """What it said."""
        assert self._connection is not None
        try:
            data = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._drop()
        return self._unpacker.feed(data) if data else []
