"""What this product adds to uvicorn's HTTP connection: an end for peers that do not read.

Rules: the kernel ends a connection whose peer has acknowledged nothing, or kept its window shut, for
UNREAD_MS: whatever is sent there (pages, streams, copies, an agent's messages) is dropped with it, also where
a host went away without a word. In this process at most UNSENT_BYTES and one message wait for a socket. A
reply may end its connection without flushing it (`abort_of`), and nobody works for a client that has gone
while its request stood in a line (`leave_if_gone`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from contextvars import ContextVar

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import Problem

UNREAD_MS = 30_000
UNSENT_BYTES = 32 << 10
KERNEL_UNSENT_BYTES = 128 << 10  #: what the kernel takes beyond what is on its way
LOOK_S = 1.0  #: between two looks at whether the client of a long wait is still there
KEY = "cronclave.connection"
_gone: ContextVar[Callable[[], bool] | None] = ContextVar("gone", default=None)


class Connection(HttpToolsProtocol):
    """One connection of a client, an agent, or another node that asks for one of them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=UNSENT_BYTES)
        limit_unread(transport)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {KEY: {"abort": self.transport.abort, "gone": self.transport.is_closing}}


def limit_unread(transport: asyncio.BaseTransport) -> None:
    """Have the kernel give up a peer that does not read. uvloop's sockets take no options: a copy does."""
    found = transport.get_extra_info("socket")
    if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with socket.socket(found.family, socket.SOCK_STREAM, fileno=os.dup(found.fileno())) as own:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_UNSENT_BYTES)


def abort_of(scope: Scope) -> Callable[[], None] | None:
    """What ends the request's connection at once; None where it has none, as in tests without a server."""
    found: Callable[[], None] | None = scope.get("extensions", {}).get(KEY, {}).get("abort")
    return found


def remember_client(scope: Scope) -> None:
    """This task, and the threads that it starts, work for the client of this request."""
    _gone.set(scope.get("extensions", {}).get(KEY, {}).get("gone"))


def forget_client() -> None:
    """This task and its threads work for more than the client whose request began them."""
    _gone.set(None)


def leave_if_gone() -> None:
    """Raises Problem when the client has closed its connection: nobody will read a reply."""
    gone = _gone.get()
    if gone is not None and gone():
        raise Problem("http", "the client went away")


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether it happens within that time. Raises Problem once the client is gone: a wait ends with it."""
    end_s = time.monotonic() + seconds
    while not event.is_set():
        leave_if_gone()
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(left_s, LOOK_S)):
                await event.wait()
    return True
