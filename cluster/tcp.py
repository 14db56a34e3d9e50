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

import errno
import ipaddress
import logging
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from cluster.addresses import split_address
from cluster.asking import Answered, Asker, answer_to
from cluster.callers import QUESTIONS_MAX, Callers, answer, new_call, question
from cluster.links import LinkHost
from cluster.reactor import Reactor, Timer
from cluster.stream import Stream
from cluster.tls import LOOK_S, LinkTls, RefusalLog, TlsFiles, why_not
from cluster.wire import Hello, Message, ProtocolError, Refusal, encode
from settings.addresses import is_loopback

REDIAL_S = 0.2
REFUSED_REDIAL_S = 1.0
HANDSHAKE_S = 5.0
CONNECT_S = 1.0
STRANGERS_MAX = 64  #: inbound connections without a hello
BROKE_OFF = "it ends the connection during the TLS handshake: does it have certificates ([tls])?"

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


def host_of(stream: Stream) -> str:
    return stream.address.rpartition(":")[0]


@dataclass(slots=True)
class _Dial:
    """Our connection to one peer."""

    peer: str
    address: str
    stream: Stream | None = None
    timer: Timer | None = None
    refused: bool = False
    call: str = ""  #: the number of this call; other nodes ask whether it is ours
    is_hurried: bool = False  #: it called us, so this call did not wait for the next round


class TcpLinks:
    def __init__(self, reactor: Reactor, settings: LinkSettings, *, rng: random.Random | None = None) -> None:
        """Listens at once. Raises OSError when it cannot, ValueError for addresses that need TLS, TlsError
        (a ValueError) for certificates that cannot be used."""
        self._reactor, self._settings = reactor, settings
        self._rng = rng or random.Random()
        self._host: LinkHost | None = None
        self._dials: dict[str, _Dial] = {}
        self._inbound: dict[str, Stream] = {}
        self._strangers: dict[Stream, None] = {}  # in the order in which they came
        self._callers = Callers()
        self._is_closed = False
        self._refusals = RefusalLog(_log)
        self._tls = LinkTls(settings.tls, settings.identity) if settings.tls is not None else None
        self._asker = Asker(reactor, self._tls)
        self._encoded: tuple[Message, bytes] = ({}, b"")  #: the latest message that was sent, and its frame
        host, port = split_address(settings.listen)
        self._check_plain(host)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=64)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        reactor.add(self._listener, self._accept)

        if self._tls is not None:
            reactor.call_later(LOOK_S, self._look)

    def reload(self) -> None:
        """Read the certificates again; connections from now on use them, if they are sound."""
        if self._tls is not None:
            self._tls.look(force=True)

    @property
    def certificate_ends_s(self) -> float | None:
        """When this node's certificate expires, in seconds since the epoch; None without TLS."""
        return None if self._tls is None else self._tls.not_after_s

    def _look(self) -> None:
        assert self._tls is not None
        if not self._is_closed:
            self._tls.look()
            self._reactor.call_later(LOOK_S, self._look)

    # ---- Links

    def attach(self, host: LinkHost) -> None:
        self._host = host

    def set_peers(self, addresses: Mapping[str, str]) -> None:
        for name in [n for n in self._dials if n not in addresses]:
            gone = self._dials.pop(name)
            if gone.timer is not None:
                gone.timer.cancel()
            self._later(gone.stream, "it is no member any more")
        for name in [n for n in self._inbound if n not in addresses]:
            self._later(self._inbound.pop(name), "it is no member any more")
        for stream in self._callers.all():
            if stream.peer not in addresses:
                self._later(stream, "it is no member any more")
        for name, address in addresses.items():
            address = self._settings.dial.get(name, address)
            dial = self._dials.get(name)
            if dial is not None and dial.address == address:
                continue
            if dial is not None:
                dial.address = address
                self._later(dial.stream, "its address changed")
                continue
            self._dials[name] = dial = _Dial(name, address)
            self._redial(dial, 0.0)

    def send(self, peer: str, message: Message) -> bool:
        dial = self._dials.get(peer)
        if dial is None or dial.stream is None or not dial.stream.is_ready:
            return False
        if self._encoded[0] is not message:  # one for all peers that lack the same
            self._encoded = message, encode(message)
        dial.stream.send(self._encoded[1])
        return True

    def ask(self, name: str, address: str, answered: Answered) -> None:
        try:
            host, port = split_address(address)
            self._check_plain(host)
        except ValueError as error:
            answered("", str(error))
            return
        assert self._host is not None
        self._asker.ask(name, host, port, self._host.hello(), answered)

    def queued_bytes(self, peer: str) -> int:
        dial = self._dials.get(peer)
        return 0 if dial is None or dial.stream is None else dial.stream.queued_bytes

    def drop(self, peer: str) -> None:
        dial = self._dials.get(peer)
        self._later(None if dial is None else dial.stream, "dropped")
        self._later(self._inbound.get(peer), "dropped")

    def flush(self) -> None:
        for dial in self._dials.values():
            if dial.stream is not None and dial.stream.is_ready:
                dial.stream.flush()

    def close(self) -> None:
        self.flush()
        self._is_closed = True
        self._reactor.remove(self._listener)
        self._listener.close()
        self._asker.close()
        self._host = None
        dials, self._dials = list(self._dials.values()), {}
        for dial in dials:
            if dial.timer is not None:
                dial.timer.cancel()
        streams = [d.stream for d in dials if d.stream is not None]
        for stream in [*streams, *self._inbound.values(), *self._callers.all(), *self._strangers]:
            stream.end("closing")

    def _later(self, stream: Stream | None, reason: str) -> None:
        """Ending a stream calls the host, which may be the caller: not from within its call."""
        if stream is not None:
            self._reactor.call_later(0.0, lambda: stream.end(reason))

    # ---- dialling

    def _redial(self, dial: _Dial, delay_s: float) -> None:
        if self._dials.get(dial.peer) is dial:
            dial.timer = self._reactor.call_later(delay_s, lambda: self._dial(dial))

    def _dial(self, dial: _Dial) -> None:
        dial.timer = None
        try:
            host, port = split_address(dial.address)
            self._check_plain(host)
        except ValueError as e:
            _log.error("node %s cannot be dialled: %s", dial.peer, e)
            self._redial(dial, 5.0)
            return
        try:
            ipaddress.ip_address(host)
        except ValueError:
            if host != "localhost":
                self._resolve(dial, host, port)
                return
            host = "127.0.0.1"
        self._connect(dial, host, port)

    def _resolve(self, dial: _Dial, host: str, port: int) -> None:
        """A name server may be slow, so it is asked on a thread."""

        def ask() -> None:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
            except OSError as e:
                reason = str(e)
                self._reactor.call_from_thread(lambda: self._unresolved(dial, reason))
            else:
                self._reactor.call_from_thread(lambda: self._connect(dial, str(found), port))

        threading.Thread(target=ask, name="resolve", daemon=True).start()

    def _unresolved(self, dial: _Dial, reason: str) -> None:
        _log.warning("the address of node %s: %s", dial.peer, reason)
        self._redial(dial, REFUSED_REDIAL_S)

    def _connect(self, dial: _Dial, host: str, port: int) -> None:
        if self._dials.get(dial.peer) is not dial or dial.stream is not None:
            return
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        if sock.connect_ex((host, port)) not in (0, errno.EINPROGRESS):
            sock.close()
            self._redial(dial, REDIAL_S)
            return
        stream = dial.stream = Stream(
            self._reactor,
            sock,
            tls=None if self._tls is None else self._tls.dialling,
            server_side=False,
            connecting=True,
            on_open=lambda s: self._opened(dial, s),
            on_message=lambda s, m: self._answered(dial, s, m),
            on_end=lambda s, reason: self._dial_ended(dial, s, reason),
        )
        stream.peer, stream.address, dial.call = dial.peer, dial.address, new_call()
        self._expect(stream, CONNECT_S, lambda: stream.is_open, "no connection in time")
        self._expect(stream, HANDSHAKE_S, lambda: stream.is_ready, "no hello in time")

    def _expect(self, stream: Stream, delay_s: float, done: Callable[[], bool], reason: str) -> None:
        self._reactor.call_later(delay_s, lambda: None if done() else stream.end(reason))

    def _greet(self, stream: Stream, call: str = "") -> None:
        if self._host is not None:
            stream.send(encode(replace(self._host.hello(), call=call).message()))
            stream.flush()

    def _opened(self, dial: _Dial, stream: Stream) -> None:
        """Connected, and the chain of its certificate is good. Whose certificate is it?"""
        certificate = stream.certificate()
        if certificate is not None and self._host is not None:
            fault = why_not(certificate, self._host.hello().cluster, dial.peer)
            if fault is not None:
                stream.fault = fault
                stream.end(fault)
                return
        self._greet(stream, dial.call)
        for call in self._callers.calls(dial.peer):
            stream.send(encode(question(call)))
        stream.flush()

    def _answered(self, dial: _Dial, stream: Stream, message: Message) -> None:
        """The answer to our hello; before and after it, answers to our questions and refusals."""
        if self._host is None:
            return
        if message["type"] == "called":
            self._told_of_call(dial.peer, message)
            return
        if message["type"] == "refuse":
            dial.refused = True
            self._refusals.warn(f"node {dial.peer} at {dial.address} refuses this node", message["reason"])
            self._host.refused(dial.peer, Refusal(message["code"], message["reason"]))
            stream.end(f"refused: {message['reason']}")
            return
        if message["type"] != "hello" or stream.is_ready:
            raise ProtocolError(f"{message['type']} on a sending connection")
        hello = Hello.read(message)
        refusal = self._check(stream, hello)
        if refusal is None and hello.name != dial.peer:
            refusal = Refusal(
                "unknown", f"{hello.name} answers at the address of {dial.peer}, {dial.address}"
            )
        if refusal is not None:
            dial.refused = True
            self._refusals.warn(f"node {dial.peer} at {dial.address} is refused", refusal.reason)
            stream.end(f"refused: {refusal.reason}")
            return
        stream.greeted()
        dial.refused = dial.is_hurried = False
        self._host.connected(hello)

    def _dial_ended(self, dial: _Dial, stream: Stream, reason: str) -> None:
        if dial.stream is stream:
            dial.stream = None
            if stream.is_ready and self._host is not None:
                _log.info("connection to %s ended: %s", dial.peer, reason)
                self._host.disconnected(dial.peer)
            elif (stream.fault is not None or stream.broke_off) and self._host is not None:
                # One that broke off may be starting: it is called again soon.
                dial.refused = stream.fault is not None
                fault = stream.fault or BROKE_OFF
                self._refusals.warn(f"no connection to node {dial.peer} at {dial.address}", fault)
                self._host.refused(dial.peer, Refusal("certificate", fault))
            delay_s = REFUSED_REDIAL_S if dial.refused else REDIAL_S
            self._redial(dial, delay_s * self._rng.uniform(0.75, 1.25))

    # ---- accepting

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
                tls=None if self._tls is None else self._tls.accepting,
                server_side=True,
                connecting=False,
                on_open=lambda s: None,
                on_message=self._heard,
                on_end=self._inbound_ended,
            )
            stream.address = "{}:{}".format(*address)
            self._strangers[stream] = None
            self._expect_hello(stream)

    def _make_room(self) -> None:
        hosts = Counter(host_of(stranger) for stranger in self._strangers)
        crowd, count = hosts.most_common(1)[0]
        who = f"{count} connections from {crowd}"
        self._refusals.warn(who, "they say nothing; the oldest is closed for a newer one", host=crowd)
        next(s for s in self._strangers if host_of(s) == crowd).end("it made room for a newer one")

    def _expect_hello(self, stream: Stream) -> None:
        self._expect(stream, HANDSHAKE_S, lambda: stream.is_ready, "no hello in time")

    def _heard(self, stream: Stream, message: Message) -> None:
        if self._host is None:
            return
        if stream.is_ending:
            return  # refused already
        if message["type"] == "did_you_call" and stream.peer:
            self._asked_of_call(stream, message["call"])
            return
        if stream.is_ready:
            if message["type"] in ("hello", "refuse", "did_you_call", "called"):
                raise ProtocolError(f"a second {message['type']}")
            self._host.received(stream.peer, message)
            return
        if stream.peer:
            raise ProtocolError(f"{message['type']} before the answer to its hello")
        if message["type"] == "who":
            self._asked_who(stream, message)
            return
        if message["type"] != "hello":
            raise ProtocolError(f"{message['type']} before a hello")
        hello = Hello.read(message)
        refusal = self._check(stream, hello)
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
        self._hurry(hello.name)

    def _asked_who(self, stream: Stream, message: Message) -> None:
        """A member asks before this node is admitted."""
        assert self._host is not None
        certificate = stream.certificate()
        fault = None if certificate is None else why_not(certificate, message["cluster"], message["name"])
        if fault is not None:
            stream.send(encode(Refusal("certificate", fault).message()))
        else:
            stream.send(encode(answer_to(self._host.hello(), message)))
        stream.end_after_sending("asked who it is")

    def _admit(self, stream: Stream) -> None:
        """It is who it says."""
        older = self._inbound.get(stream.peer)
        stream.greeted()
        self._inbound[stream.peer] = stream
        if older is not None:
            older.end("a newer connection came")
        self._greet(stream)

    def _hurry(self, name: str) -> None:
        """It is there, or somebody says so: do not wait for the next round, once."""
        dial = self._dials.get(name)
        if dial is not None and dial.stream is None and dial.timer is not None and not dial.is_hurried:
            dial.is_hurried = True
            dial.timer.cancel()
            self._redial(dial, 0.0)

    def _ask_back(self, stream: Stream, call: str) -> None:
        """Did the node at this name's address call so? Where it is not reached yet, once it is."""
        oldest = self._callers.add(stream.peer, call, stream)
        if oldest is not None:
            self._later(oldest, "it made room for a newer one")
        dial = self._dials.get(stream.peer)
        if dial is not None and dial.stream is not None and dial.stream.is_open:
            dial.stream.send(encode(question(call)))
            dial.stream.flush()

    def _asked_of_call(self, stream: Stream, call: str) -> None:
        stream.questions += not stream.is_ready
        if stream.questions > QUESTIONS_MAX:
            raise ProtocolError("too many questions")
        dial = self._dials.get(stream.peer)
        is_up = dial is not None and dial.stream is not None
        stream.send(encode(answer(call, dial.call if dial is not None and is_up else None)))
        stream.flush()

    def _told_of_call(self, peer: str, message: Message) -> None:
        stream = self._callers.take(peer, message["call"])
        if stream is None:
            return
        if message["is_mine"]:
            self._admit(stream)
            return
        reason = f"{peer} says that it did not call: somebody else uses its name"
        self._refusals.warn(f"a connection from {stream.address} is refused", reason, host=host_of(stream))
        stream.end(reason)

    def _check(self, stream: Stream, hello: Hello) -> Refusal | None:
        assert self._host is not None
        certificate = stream.certificate()
        fault = None if certificate is None else why_not(certificate, hello.cluster, hello.name)
        if fault is not None:
            return Refusal("certificate", fault)
        return self._host.vet(hello)

    def _inbound_ended(self, stream: Stream, reason: str) -> None:
        self._strangers.pop(stream, None)
        self._callers.drop(stream)
        if not stream.is_ready and stream.fault is not None and self._host is not None:
            who = f"a connection from {stream.address} is refused"
            self._refusals.warn(who, stream.fault, host=host_of(stream))
        if stream.is_ready and self._inbound.get(stream.peer) is stream:
            del self._inbound[stream.peer]
            _log.info("connection from %s ended: %s", stream.peer, reason)
            if self._host is not None:
                self._host.inbound_lost(stream.peer)

    def _check_plain(self, host: str) -> None:
        if self._settings.tls is None and not self._settings.insecure and not is_loopback(host):
            raise ValueError(
                f"{host} is not a loopback address: give certificates (tls) or, knowingly, insecure = true"
            )
