"""Links over TCP: every node dials every peer and sends on what it dialled; it receives on what it accepted.

Rules (those of cluster.links, and):
1. Plain TCP only between loopback addresses, unless told `insecure`. With certificates both ends prove who
   they are: cluster and node of the certificate are those of the hello, and whoever dials believes nothing,
   not even a refusal, before it has seen them (cluster.tls).
2. A connection that breaks is noticed at once; one that is silent, after `SILENCE_MS` of unacknowledged
   bytes. Dialling is repeated every 0.2 s, with jitter; after a refusal every second.
3. The first frame decides: hello or refusal. Until then a connection counts for nothing and has 5 s. Where
   there are too many of them, the oldest of the host that has most makes room: a peer always gets in.
   Without certificates whoever calls is asked back at its own address before it counts (cluster.callers).
   Nobody else is dialled than who was told by `set_peers`.
4. Both ends log a refusal: who, why, what to do; repetitions once a minute.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from cluster.accepted import Accepted
from cluster.addresses import split_address
from cluster.asking import Answered, Asker
from cluster.callers import Callers
from cluster.dials import Dials
from cluster.handshake import Handshake, LinkSettings
from cluster.links import LinkHost
from cluster.reactor import Reactor
from cluster.tls import LOOK_S
from cluster.wire import Message

__all__ = ["LinkSettings", "TcpLinks"]


class TcpLinks:
    def __init__(self, reactor: Reactor, settings: LinkSettings, *, rng: random.Random | None = None) -> None:
        """Listens at once. Raises OSError when it cannot, ValueError for addresses that need TLS, TlsError
        (a ValueError) for certificates that cannot be used."""
        self._handshake = Handshake(reactor, settings)
        self.callers = Callers()
        self._dials = Dials(
            self._handshake,
            self.callers,
            rng or random.Random(),
            on_called=lambda peer, message: self.accepted.called(peer, message),
        )
        self.accepted = Accepted(self._handshake, self.callers, self._dials)
        self._asker = Asker(reactor, self._handshake.tls)
        self._is_closed = False
        if self._handshake.tls is not None:
            reactor.call_later(LOOK_S, self._look)

    @property
    def port(self) -> int:
        return self.accepted.port

    def reload(self) -> None:
        """Read the certificates again; connections from now on use them, if they are sound."""
        if self._handshake.tls is not None:
            self._handshake.tls.look(force=True)

    def _look(self) -> None:
        assert self._handshake.tls is not None
        if not self._is_closed:
            self._handshake.tls.look()
            self._handshake.reactor.call_later(LOOK_S, self._look)

    @property
    def certificate_ends_s(self) -> float | None:
        """When this node's certificate expires, in seconds since the epoch; None without TLS."""
        return None if self._handshake.tls is None else self._handshake.tls.not_after_s

    # ---- Links

    def attach(self, host: LinkHost) -> None:
        self._handshake.host = host

    def set_peers(self, addresses: Mapping[str, str]) -> None:
        self.accepted.set_peers(addresses)
        self._dials.set_peers(addresses)

    def send(self, peer: str, message: Message) -> bool:
        return self._dials.send(peer, message)

    def ask(self, name: str, address: str, answered: Answered) -> None:
        try:
            host, port = split_address(address)
            self._handshake.check_plain(host)
        except ValueError as error:
            answered("", str(error))
            return
        assert self._handshake.host is not None
        self._asker.ask(name, host, port, self._handshake.host.hello(), answered)

    def queued_bytes(self, peer: str) -> int:
        return self._dials.queued_bytes(peer)

    def drop(self, peer: str) -> None:
        self._dials.drop(peer)
        self.accepted.drop(peer)

    def flush(self) -> None:
        self._dials.flush()

    def close(self) -> None:
        self.flush()
        self._is_closed = True
        self.accepted.close_door()
        self._asker.close()
        self._handshake.host = None  # nobody is told of the ends that follow
        self._dials.close()
        self.accepted.close()
