"""The connections that other nodes made to this one: what it receives comes by them."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Mapping

from cluster.addresses import split_address
from cluster.asking import answer_to
from cluster.callers import QUESTIONS_MAX, Callers, answer
from cluster.dials import Dials
from cluster.handshake import Handshake
from cluster.stream import Stream
from cluster.tls import why_not
from cluster.wire import Hello, Message, ProtocolError, Refusal, encode

STRANGERS_MAX = 64  #: inbound connections without a hello

_log = logging.getLogger(__name__)


def host_of(stream: Stream) -> str:
    return stream.address.rpartition(":")[0]


class Accepted:
    def __init__(self, handshake: Handshake, callers: Callers, dials: Dials) -> None:
        """Listens at once. Raises OSError when it cannot, ValueError for an address that needs TLS."""
        self._handshake, self._callers, self._dials = handshake, callers, dials
        self._reactor, self._refusals = handshake.reactor, handshake.refusals
        self._inbound: dict[str, Stream] = {}
        self._strangers: dict[Stream, None] = {}  # in the order in which they came
        host, port = split_address(handshake.settings.listen)
        handshake.check_plain(host)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._reactor.add(self._listener, self._accept)

    @property
    def strangers(self) -> int:
        return len(self._strangers)

    def set_peers(self, addresses: Mapping[str, str]) -> None:
        for name in [n for n in self._inbound if n not in addresses]:
            self._handshake.later(self._inbound.pop(name), "it is no member any more")
        for stream in self._callers.all():
            if stream.peer not in addresses:
                self._handshake.later(stream, "it is no member any more")

    def drop(self, peer: str) -> None:
        self._handshake.later(self._inbound.get(peer), "dropped")

    def close_door(self) -> None:
        """Nobody gets in any more."""
        self._reactor.remove(self._listener)
        self._listener.close()

    def close(self) -> None:
        for stream in [*self._inbound.values(), *self._callers.all(), *self._strangers]:
            stream.end("closing")

    def _accept(self) -> None:
        for _ in range(16):
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as e:  # out of descriptors, or the caller gave up: the listener stays
                self._refusals.warn("accepting a connection", str(e))
                return
            if len(self._strangers) >= STRANGERS_MAX:
                self._make_room()
            stream = Stream(
                self._reactor,
                sock,
                tls=None if self._handshake.tls is None else self._handshake.tls.accepting,
                server_side=True,
                connecting=False,
                on_open=lambda s: None,
                on_message=self._heard,
                on_end=self._inbound_ended,
            )
            stream.address = "{}:{}".format(*address)
            self._strangers[stream] = None
            self._handshake.expect_hello(stream)

    def _make_room(self) -> None:
        hosts = Counter(host_of(stranger) for stranger in self._strangers)
        crowd, count = hosts.most_common(1)[0]
        who = f"{count} connections from {crowd}"
        self._refusals.warn(who, "they say nothing; the oldest is closed for a newer one", host=crowd)
        next(s for s in self._strangers if host_of(s) == crowd).end("it made room for a newer one")

    def _heard(self, stream: Stream, message: Message) -> None:
        if self._handshake.host is None:
            return
        if stream.is_ending:
            return  # refused already
        if message["type"] == "did_you_call" and stream.peer:
            self._asked_of_call(stream, message["call"])
            return
        if stream.is_ready:
            if message["type"] in ("hello", "refuse", "did_you_call", "called"):
                raise ProtocolError(f"a second {message['type']}")
            self._handshake.host.received(stream.peer, message)
            return
        if stream.peer:
            raise ProtocolError(f"{message['type']} before the answer to its hello")
        if message["type"] == "who":
            self._asked_who(stream, message)
            return
        if message["type"] != "hello":
            raise ProtocolError(f"{message['type']} before a hello")
        hello = Hello.read(message)
        refusal = self._handshake.check(stream, hello)
        if refusal is not None:
            who = f"node {hello.name} of cluster {hello.cluster} at {stream.address} is refused"
            self._refusals.warn(who, refusal.reason, host=f"{hello.name} {hello.cluster} {host_of(stream)}")
            stream.send(encode(refusal.message()))
            stream.end_after_sending(refusal.reason)
            return
        self._strangers.pop(stream, None)
        stream.peer = hello.name
        if stream.certificate() is not None:
            self._admit(stream)
        else:
            self._ask_back(stream, hello.call)
        self._dials.hurry(hello.name)

    def _asked_who(self, stream: Stream, message: Message) -> None:
        """A member asks before this node is admitted."""
        assert self._handshake.host is not None
        certificate = stream.certificate()
        fault = None if certificate is None else why_not(certificate, message["cluster"], message["name"])
        if fault is not None:
            stream.send(encode(Refusal("certificate", fault).message()))
        else:
            stream.send(encode(answer_to(self._handshake.host.hello(), message)))
        stream.end_after_sending("asked who it is")

    def _admit(self, stream: Stream) -> None:
        """It is who it says."""
        older = self._inbound.get(stream.peer)
        stream.greeted()
        self._inbound[stream.peer] = stream
        if older is not None:
            older.end("a newer connection came")
        self._handshake.greet(stream)

    def _ask_back(self, stream: Stream, call: str) -> None:
        oldest = self._callers.add(stream.peer, call, stream)
        if oldest is not None:
            self._handshake.later(oldest, "it made room for a newer one")
        self._dials.ask_back(stream.peer, call)

    def _asked_of_call(self, stream: Stream, call: str) -> None:
        stream.questions += not stream.is_ready
        if stream.questions > QUESTIONS_MAX:
            raise ProtocolError("too many questions")
        stream.send(encode(answer(call, self._dials.call_to(stream.peer))))
        stream.flush()

    def called(self, peer: str, message: Message) -> None:
        """The peer answers our question whether it called."""
        stream = self._callers.take(peer, message["call"])
        if stream is None:
            return
        if message["is_mine"]:
            self._admit(stream)
            return
        reason = f"{peer} says that it did not call: somebody else uses its name"
        self._refusals.warn(f"a connection from {stream.address} is refused", reason, host=host_of(stream))
        stream.end(reason)

    def _inbound_ended(self, stream: Stream, reason: str) -> None:
        self._strangers.pop(stream, None)
        self._callers.drop(stream)
        if not stream.is_ready and stream.fault is not None and self._handshake.host is not None:
            who = f"a connection from {stream.address} is refused"
            self._refusals.warn(who, stream.fault, host=host_of(stream))
        if stream.is_ready and self._inbound.get(stream.peer) is stream:
            del self._inbound[stream.peer]
            _log.info("connection from %s ended: %s", stream.peer, reason)
            if self._handshake.host is not None:
                self._handshake.host.inbound_lost(stream.peer)
