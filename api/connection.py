"""What this product adds to uvicorn's HTTP connection: an end for peers that do not read.

Rules: the kernel ends a connection whose peer has acknowledged nothing, or kept its window shut, for
UNREAD_MS: whatever is sent there (pages, streams, copies, an agent's messages) is dropped with it, also where
a host went away without a word. In this process at most UNSENT_BYTES and one message wait for a socket. A
reply may end its connection without flushing it: `ABORT` of the scope's extensions.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

UNREAD_MS = 30_000
UNSENT_BYTES = 32 << 10
KERNEL_UNSENT_BYTES = 128 << 10  #: what the kernel takes beyond what is on its way
ABORT = "cronclave.abort"


class Connection(HttpToolsProtocol):
    """One connection of a client, an agent, or another node that asks for one of them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=UNSENT_BYTES)
        limit_unread(transport)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"now": self.transport.abort}}


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
    found: Callable[[], None] | None = scope.get("extensions", {}).get(ABORT, {}).get("now")
    return found
