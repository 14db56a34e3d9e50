"""Who may keep a connection open, and for how long it may keep the node waiting.

Rules:
1. A connection is a stranger's until it has brought a right token. Strangers have half of all connections,
   and an address an eighth: what is behind one address (a balancer, ten thousand agents) is not counted once
   it is known.
2. Whoever comes is let in. Where there are too many strangers the one goes that has kept the node waiting
   longest: half-sent requests make room for a health check, not the other way round.
3. Whatever a client owes has an end: `due_s` is when. One look a second at all of them, not a timer for
   each.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
from collections.abc import Iterator
from typing import Protocol

from starlette.types import Scope

SCOPE_KEY = "cronclave.connection"
LOOK_S = 1.0
CLOSE_S = 10.0  #: for what is left to send, once a connection is to end
CONNECTIONS_MAX = 25_000  #: fewer where the process may open fewer files
STRANGERS_SHARE = 2
ADDRESS_SHARE = 8
SKIPPED_MAX = 100  #: that are at work, in the search for one that keeps the node waiting
NEVER_S = float("inf")


class Connection(Protocol):
    """What a protocol of the server tells and does."""

    address: str
    due_s: float  #: on the loop's clock: when it has kept the node waiting for too long

    @property
    def keeps_waiting(self) -> bool:
        """Whether the next move is the client's."""
        ...

    @property
    def is_closing(self) -> bool: ...

    def overdue(self) -> None: ...

    def abort(self) -> None: ...

    def proved(self) -> None:
        """A right token came over it."""
        ...


@functools.lru_cache(10_000)
def origin(address: str) -> str:
    """What counts as one address: a host has a whole /64 of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address


def client_of(scope: Scope) -> str:
    """The address that a request came from, as failures are counted by."""
    client = scope.get("client")
    return origin(client[0]) if client else ""


class Connections:
    """All connections of one server."""

    def __init__(self, most: int = CONNECTIONS_MAX) -> None:
        self.most = most
        self.strangers_max = max(most // STRANGERS_SHARE, 1)
        self.address_max = max(most // ADDRESS_SHARE, 1)
        self._strangers: dict[Connection, None] = {}  #: oldest first
        self._by_address: dict[str, dict[Connection, None]] = {}
        self._known: set[Connection] = set()
        self._looking: asyncio.TimerHandle | None = None
        self.pushed_out = 0  #: strangers that had to go for others

    def __len__(self) -> int:
        return len(self._strangers) + len(self._known)

    def __iter__(self) -> Iterator[Connection]:
        yield from self._strangers
        yield from self._known

    def came(self, connection: Connection) -> None:
        """Count it, and make room."""
        of_address = self._by_address.setdefault(connection.address, {})
        self._strangers[connection] = of_address[connection] = None
        if len(of_address) > self.address_max:
            self._push_out(of_address)
        elif len(self._strangers) > self.strangers_max or len(self) > self.most:
            self._push_out(self._strangers)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def proved(self, connection: Connection) -> bool:
        """It is known from now on. False: there are too many such, it should end with its reply."""
        if connection in self._strangers:
            self._drop_stranger(connection)
            self._known.add(connection)
        return len(self._known) <= self.most - self.most // ADDRESS_SHARE

    def became(self, before: Connection, after: Connection) -> None:
        """The same socket under another protocol (a WebSocket)."""
        if before in self._known:
            self._known.discard(before)
            self._known.add(after)
        elif before in self._strangers:
            self._drop_stranger(before)
            self._strangers[after] = None
            self._by_address.setdefault(after.address, {})[after] = None

    def went(self, connection: Connection) -> None:
        self._known.discard(connection)
        if connection in self._strangers:
            self._drop_stranger(connection)

    def _drop_stranger(self, connection: Connection) -> None:
        del self._strangers[connection]
        of_address = self._by_address[connection.address]
        del of_address[connection]
        if not of_address:
            del self._by_address[connection.address]

    def _push_out(self, among: dict[Connection, None]) -> None:
        """The oldest that keeps the node waiting; where the first hundred all are at work, the oldest."""
        chosen = next(iter(among))
        for skipped, connection in enumerate(among):
            if connection.keeps_waiting:
                chosen = connection
                break
            if skipped >= SKIPPED_MAX:
                break
        self.pushed_out += 1
        self.went(chosen)
        chosen.abort()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        for connection in list(self):
            if connection.due_s <= now_s:
                connection.overdue()
            elif connection.due_s == NEVER_S and connection.is_closing:
                connection.due_s = now_s + CLOSE_S
        self._looking = loop.call_later(LOOK_S, self._look) if len(self) else None
