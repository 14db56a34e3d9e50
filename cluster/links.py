"""What consensus needs of the network: named peers, a sending connection to each, a receiving one from each.

Rules for an implementation:
1. Frames of one connection arrive in order or not at all; a newer connection of a peer ends its older one.
2. A peer is connected when our own dialled connection to it has passed the handshake; messages are
   taken only from inbound connections that have.
3. Nothing blocks, nothing is buffered without a bound: a peer that does not read loses its connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cluster.asking import Answered
from cluster.wire import Hello, Message, Refusal


class LinkHost(Protocol):
    """Who uses the links."""

    def hello(self) -> Hello: ...
    def vet(self, hello: Hello) -> Refusal | None:
        """Whether to talk to the sender of this hello; asked on both sides of every connection."""
        ...

    def connected(self, hello: Hello) -> None: ...
    def disconnected(self, peer: str) -> None: ...
    def inbound_lost(self, peer: str) -> None: ...
    def received(self, peer: str, message: Message) -> None: ...
    def refused(self, peer: str, refusal: Refusal) -> None:
        """The peer refuses this node (or this node the peer: then `peer` answered at that address)."""


class Links(Protocol):
    def attach(self, host: LinkHost) -> None: ...
    def set_peers(self, addresses: Mapping[str, str]) -> None:
        """Keep connections to exactly these names; others are closed in both directions."""

    def send(self, peer: str, message: Message) -> bool:
        """Queue a message; False when the peer is not connected. True promises nothing."""
        ...

    def ask(self, name: str, address: str, answered: Answered) -> None:
        """Who answers at this address, and is it this name? `answered` hears it once."""

    def queued_bytes(self, peer: str) -> int: ...
    def drop(self, peer: str) -> None:
        """Close both directions; dialling starts anew while the peer is set."""

    def flush(self) -> None: ...
    def close(self) -> None: ...
