"""The connections that this node makes, one to each peer: what it sends goes by them."""

from __future__ import annotations

import errno
import ipaddress
import logging
import random
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cluster.addresses import split_address
from cluster.callers import Callers, new_call, question
from cluster.handshake import Handshake
from cluster.reactor import Timer
from cluster.stream import Stream
from cluster.tls import why_not
from cluster.wire import Hello, Message, ProtocolError, Refusal, encode

REDIAL_S = 0.2
REFUSED_REDIAL_S = 1.0
CONNECT_S = 1.0
BROKE_OFF = "it ends the connection during the TLS handshake: does it have certificates ([tls])?"

_log = logging.getLogger(__name__)


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


class Dials:
    def __init__(
        self,
        handshake: Handshake,
        callers: Callers,
        rng: random.Random,
        *,
        on_called: Callable[[str, Message], None],
    ) -> None:
        """`on_called` hears a peer's answers to our questions who called us under its name."""
        self._handshake, self._callers, self._rng, self._on_called = handshake, callers, rng, on_called
        self._reactor, self._refusals = handshake.reactor, handshake.refusals
        self._dials: dict[str, _Dial] = {}
        self._encoded: tuple[Message, bytes] = ({}, b"")  #: the latest message that was sent, and its frame

    def set_peers(self, addresses: Mapping[str, str]) -> None:
        for name in [n for n in self._dials if n not in addresses]:
            gone = self._dials.pop(name)
            if gone.timer is not None:
                gone.timer.cancel()
            self._handshake.later(gone.stream, "it is no member any more")
        for name, address in addresses.items():
            address = self._handshake.settings.dial.get(name, address)
            dial = self._dials.get(name)
            if dial is not None and dial.address == address:
                continue
            if dial is not None:
                dial.address = address
                self._handshake.later(dial.stream, "its address changed")
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

    def queued_bytes(self, peer: str) -> int:
        dial = self._dials.get(peer)
        return 0 if dial is None or dial.stream is None else dial.stream.queued_bytes

    def drop(self, peer: str) -> None:
        dial = self._dials.get(peer)
        self._handshake.later(None if dial is None else dial.stream, "dropped")

    def flush(self) -> None:
        for dial in self._dials.values():
            if dial.stream is not None and dial.stream.is_ready:
                dial.stream.flush()

    def close(self) -> None:
        dials, self._dials = list(self._dials.values()), {}
        for dial in dials:
            if dial.timer is not None:
                dial.timer.cancel()
            if dial.stream is not None:
                dial.stream.end("closing")

    def hurry(self, name: str) -> None:
        """It is there, or somebody says so: do not wait for the next round, once."""
        dial = self._dials.get(name)
        if dial is not None and dial.stream is None and dial.timer is not None and not dial.is_hurried:
            dial.is_hurried = True
            dial.timer.cancel()
            self._redial(dial, 0.0)

    def ask_back(self, name: str, call: str) -> None:
        """Did the node at this name's address call so? Where it is not reached yet, once it is."""
        dial = self._dials.get(name)
        if dial is not None and dial.stream is not None and dial.stream.is_open:
            dial.stream.send(encode(question(call)))
            dial.stream.flush()

    def call_to(self, name: str) -> str | None:
        """The number of our call to this peer, while it is up."""
        dial = self._dials.get(name)
        return dial.call if dial is not None and dial.stream is not None else None

    # ---- dialling

    def _redial(self, dial: _Dial, delay_s: float) -> None:
        if self._dials.get(dial.peer) is dial:
            dial.timer = self._reactor.call_later(delay_s, lambda: self._dial(dial))

    def _dial(self, dial: _Dial) -> None:
        dial.timer = None
        try:
            host, port = split_address(dial.address)
            self._handshake.check_plain(host)
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
            tls=None if self._handshake.tls is None else self._handshake.tls.dialling,
            server_side=False,
            connecting=True,
            on_open=lambda s: self._opened(dial, s),
            on_message=lambda s, m: self._answered(dial, s, m),
            on_end=lambda s, reason: self._dial_ended(dial, s, reason),
        )
        stream.peer, stream.address, dial.call = dial.peer, dial.address, new_call()
        self._handshake.expect(stream, CONNECT_S, lambda: stream.is_open, "no connection in time")
        self._handshake.expect_hello(stream)

    def _opened(self, dial: _Dial, stream: Stream) -> None:
        """Connected, and the chain of its certificate is good. Whose certificate is it?"""
        certificate = stream.certificate()
        if certificate is not None and self._handshake.host is not None:
            fault = why_not(certificate, self._handshake.host.hello().cluster, dial.peer)
            if fault is not None:
                stream.fault = fault
                stream.end(fault)
                return
        self._handshake.greet(stream, dial.call)
        for call in self._callers.calls(dial.peer):
            stream.send(encode(question(call)))
        stream.flush()

    def _answered(self, dial: _Dial, stream: Stream, message: Message) -> None:
        """The answer to our hello; before and after it, answers to our questions and refusals."""
        if self._handshake.host is None:
            return
        if message["type"] == "called":
            self._on_called(dial.peer, message)
            return
        if message["type"] == "refuse":
            dial.refused = True
            self._refusals.warn(f"node {dial.peer} at {dial.address} refuses this node", message["reason"])
            self._handshake.host.refused(dial.peer, Refusal(message["code"], message["reason"]))
            stream.end(f"refused: {message['reason']}")
            return
        if message["type"] != "hello" or stream.is_ready:
            raise ProtocolError(f"{message['type']} on a sending connection")
        hello = Hello.read(message)
        refusal = self._handshake.check(stream, hello)
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
        self._handshake.host.connected(hello)

    def _dial_ended(self, dial: _Dial, stream: Stream, reason: str) -> None:
        if dial.stream is stream:
            dial.stream = None
            if stream.is_ready and self._handshake.host is not None:
                _log.info("connection to %s ended: %s", dial.peer, reason)
                self._handshake.host.disconnected(dial.peer)
            elif (stream.fault is not None or stream.broke_off) and self._handshake.host is not None:
                # One that broke off may be starting: it is called again soon.
                dial.refused = stream.fault is not None
                fault = stream.fault or BROKE_OFF
                self._refusals.warn(f"no connection to node {dial.peer} at {dial.address}", fault)
                self._handshake.host.refused(dial.peer, Refusal("certificate", fault))
            delay_s = REFUSED_REDIAL_S if dial.refused else REDIAL_S
            self._redial(dial, delay_s * self._rng.uniform(0.75, 1.25))
