"""The core's end of the bridge: one listener, one front at a time, what it is told leaves once a turn."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.reactor import Reactor
from node import bridge

log = logging.getLogger("cronclave.core")

OUTGOING_BYTES_MAX = 256 << 20
READ_BYTES = 64 << 10  #: memory for more than 128 KiB is mapped and unmapped by each call
FIRST_FRONT_S = 10.0  #: a front that has not come yet counts as starting for so long


class FrontSocket:
    """The socket of the front that is connected now; a newer front replaces an older one."""

    def __init__(
        self,
        reactor: Reactor,
        data: Path,
        *,
        on_message: Callable[[list[Any]], None],
        on_lost: Callable[[str], None],
    ) -> None:
        """`on_lost` gets the uid of the front that is gone. Raises OSError when it cannot listen."""
        self._reactor = reactor
        self._on_message = on_message
        self._on_lost = on_lost
        self._sock: socket.socket | None = None
        self._decoder = bridge.Decoder()
        self._outgoing = bytearray()
        self._seen = False
        self._heard_s = self._started_s = time.monotonic()
        self.uid = ""  #: of the front that said hello; empty: none
        path = bridge.socket_path(data)
        Path(path).unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        os.chmod(path, 0o600)
        self._listener.listen(4)
        self._listener.setblocking(False)
        reactor.add(self._listener, self._accept)

    def welcome(self, uid: str) -> None:
        """The connected front has said who it is."""
        self.uid = uid
        self._seen = True

    @property
    def is_dead(self) -> bool:
        """Its connection broke, and no other came yet."""
        return self._seen and self._sock is None

    def lives(self, now_s: float, patience_s: float = bridge.FRONT_SILENCE_S) -> bool:
        """Whether the front was heard of late, or may still be starting for the first time."""
        if not self._seen and now_s - self._started_s < FIRST_FRONT_S:
            return True
        return now_s - self._heard_s < patience_s

    def tell(self, message: list[Any]) -> None:
        """Goes out at the end of the turn; nothing when no front has said hello."""
        if not self.uid:
            return
        data = bridge.encode(message)
        if len(self._outgoing) + len(data) > OUTGOING_BYTES_MAX:
            self._drop("does not read what it is sent")
            return
        self._outgoing += data

    def flush(self) -> None:
        if self._sock is None or not self._outgoing:
            return
        try:
            while self._outgoing:
                sent = self._sock.send(memoryview(self._outgoing)[: 1 << 20])
                del self._outgoing[:sent]
        except BlockingIOError:
            pass
        except ConnectionError:
            self._drop("disconnected")
            return
        self._reactor.set_writing(self._sock, bool(self._outgoing))

    def close(self) -> None:
        """The core ends: whoever is connected sees that."""
        for sock in (self._sock, self._listener):
            if sock is not None:
                self._reactor.remove(sock)
                sock.close()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        if not bridge.is_ours(sock):
            log.warning("a process of another user is not the front: its connection is closed")
            sock.close()
            return
        sock.setblocking(False)
        self._drop("replaced by a newer front")
        self._sock = sock
        self._decoder = bridge.Decoder()
        self._heard_s = time.monotonic()
        self._reactor.add(sock, self._read, self.flush)

    def _read(self) -> None:
        if self._sock is None:
            return
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._drop("disconnected")
            return
        self._heard_s = time.monotonic()
        sock = self._sock
        try:
            for message in self._decoder.feed(data):
                bridge.check_front(message)
                self._on_message(message)
                if self._sock is not sock:  # dropped by what it asked for
                    return
        except bridge.BridgeError as error:
            log.error("the front says what no front says: %s", error)
            self._drop("is dropped")

    def _drop(self, why: str) -> None:
        if self._sock is None:
            return
        log.info("front %s: %s", self.uid, why)
        self._reactor.remove(self._sock)
        self._sock.close()
        self._sock = None
        self._outgoing.clear()
        uid, self.uid = self.uid, ""
        self._on_lost(uid)
