"""Who answers at an address, before a node is admitted under it: a name is used once, mistaken or not.

Rules:
1. Asked is the way that the links go: the same address, the same certificates, the same port. Nothing is
   changed by asking.
2. The answer comes within `ANSWER_S`, and says what was tried, what answered and what to do.
3. A node tells its uid to members and only while it joins: who is admitted is bound to it at once.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cluster.reactor import Reactor, Timer
from cluster.stream import Stream
from cluster.tls import LinkTls, why_not
from cluster.wire import Hello, Message, encode

ANSWER_S = 3.0
ASKING_MAX = 8
START_IT = "Start the node first (join = true in its configuration); it waits until it is admitted."

Answered = Callable[[str, str], None]
"""The uid of the node that answered, or why it cannot be admitted: one of the two is empty."""


def who_message(own: Hello) -> Message:
    return {"type": "who", "cluster": own.cluster, "name": own.name}


def answer_to(own: Hello, message: Message) -> Message:
    """What a node says of itself."""
    is_told = own.joining and message["cluster"] == own.cluster
    return {
        "type": "i_am",
        "cluster": own.cluster,
        "name": own.name,
        "uid": own.uid if is_told else "",
        "joining": own.joining,
    }


@dataclass(slots=True)
class _Asking:
    name: str
    address: str
    own: Hello
    answered: Answered
    timer: Timer | None = None
    stream: Stream | None = None
    is_over: bool = False

    def end(self, uid: str, why: str) -> None:
        if not self.is_over:
            self.is_over = True
            if self.timer is not None:
                self.timer.cancel()
            if self.stream is not None:
                self.stream.end("the question is over")
            self.answered(uid, why)

    def judge(self, message: Message) -> None:
        found, here = message, f"at {self.address}"
        if message["type"] != "i_am":
            why = f"{here} answers something else than a node: {message['type']}"
        elif found["cluster"] != self.own.cluster:
            why = f"{here} answers {found['name']} of another cluster, {found['cluster']}"
        elif found["name"] != self.name:
            why = f"{here} answers {found['name']}, not {self.name}"
        elif not found["joining"] or not found["uid"]:
            why = (
                f"{here} answers {self.name}, but as a founder or with a vote of its own: "
                "a node joins with join = true and an empty data directory"
            )
        else:
            self.end(found["uid"], "")
            return
        self.end("", why)


class Asker:
    def __init__(self, reactor: Reactor, tls: LinkTls | None) -> None:
        self._reactor, self._tls = reactor, tls
        self._open: list[_Asking] = []

    def ask(self, name: str, host: str, port: int, own: Hello, answered: Answered) -> None:
        self._open = [asking for asking in self._open if not asking.is_over]
        address = f"{host}:{port}"
        if len(self._open) >= ASKING_MAX:
            answered("", "too many addresses are asked right now; try again")
            return
        asking = _Asking(name, address, own, answered)
        silence = f"nobody answered at {address} within {ANSWER_S:.0f} s. {START_IT}"
        asking.timer = self._reactor.call_later(ANSWER_S, lambda: asking.end("", silence))
        self._open.append(asking)

        def resolve() -> None:
            try:
                found = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
            except OSError as e:
                why = f"{host} has no address: {e}"
                self._reactor.call_from_thread(lambda: asking.end("", why))
            else:
                self._reactor.call_from_thread(lambda: self._connect(asking, found, port))

        threading.Thread(target=resolve, name="resolve", daemon=True).start()

    def close(self) -> None:
        for asking in self._open:
            asking.end("", "this node ends")

    def _connect(self, asking: _Asking, host: str, port: int) -> None:
        if asking.is_over:
            return
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        code = sock.connect_ex((host, port))
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            asking.end(
                "", f"{asking.address} cannot be reached: {errno.errorcode.get(code, code)}. {START_IT}"
            )
            return

        def opened(stream: Stream) -> None:
            certificate = stream.certificate()
            fault = None if certificate is None else why_not(certificate, asking.own.cluster, asking.name)
            if fault is not None:
                asking.end("", f"who answers at {asking.address} is not {asking.name}: {fault}")
                return
            stream.send(encode(who_message(asking.own)))
            stream.flush()

        def heard(stream: Stream, message: Message) -> None:
            asking.judge(message)

        def ended(stream: Stream, reason: str) -> None:
            fault = stream.fault or reason
            asking.end("", f"nobody answers as a node at {asking.address}: {fault}. {START_IT}")

        asking.stream = Stream(
            self._reactor,
            sock,
            tls=None if self._tls is None else self._tls.dialling,
            server_side=False,
            connecting=True,
            on_open=opened,
            on_message=heard,
            on_end=ended,
        )
