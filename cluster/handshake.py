"""What both ends of a connection do, and ask each other, before it counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from cluster.links import LinkHost
from cluster.reactor import Reactor
from cluster.stream import Stream
from cluster.tls import LinkTls, RefusalLog, TlsFiles, why_not
from cluster.wire import Hello, Refusal, encode
from settings.addresses import is_loopback

HANDSHAKE_S = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    listen: str  #: host:port
    tls: TlsFiles | None = None
    identity: str | None = None  #: what this node's own certificate must say
    insecure: bool = False  #: plain TCP beyond loopback
    dial: Mapping[str, str] = field(
        default_factory=dict
    )  #: peer name to the address to dial in place of its own


class Handshake:
    """Raises TlsError (a ValueError) for certificates that cannot be used."""

    def __init__(self, reactor: Reactor, settings: LinkSettings) -> None:
        self.reactor, self.settings = reactor, settings
        self.host: LinkHost | None = None  #: None: not yet, or closed
        self.refusals = RefusalLog(_log)
        self.tls = LinkTls(settings.tls, settings.identity) if settings.tls is not None else None

    def check_plain(self, host: str) -> None:
        """Raises ValueError where plain TCP is not to go."""
        if self.settings.tls is None and not self.settings.insecure and not is_loopback(host):
            raise ValueError(
                f"{host} is not a loopback address: give certificates (tls) or, knowingly, insecure = true"
            )

    def greet(self, stream: Stream, call: str = "") -> None:
        if self.host is not None:
            stream.send(encode(replace(self.host.hello(), call=call).message()))
            stream.flush()

    def check(self, stream: Stream, hello: Hello) -> Refusal | None:
        """Why whoever says this hello is not talked to."""
        assert self.host is not None
        certificate = stream.certificate()
        fault = None if certificate is None else why_not(certificate, hello.cluster, hello.name)
        if fault is not None:
            return Refusal("certificate", fault)
        return self.host.vet(hello)

    def expect(self, stream: Stream, delay_s: float, done: Callable[[], bool], reason: str) -> None:
        self.reactor.call_later(delay_s, lambda: None if done() else stream.end(reason))

    def expect_hello(self, stream: Stream) -> None:
        self.expect(stream, HANDSHAKE_S, lambda: stream.is_ready, "no hello in time")

    def later(self, stream: Stream | None, reason: str) -> None:
        """Ending a stream calls the host, which may be the caller: not from within its call."""
        if stream is not None:
            self.reactor.call_later(0.0, lambda: stream.end(reason))
