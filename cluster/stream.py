"""One non-blocking connection that carries frames, plain or TLS.

Rules: nothing here blocks; what cannot be sent is kept up to `QUEUE_BYTES_MAX`, then the connection is
closed; the owner hears of the end exactly once, through `on_end`, and never from within `send`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from cluster.reactor import Reactor
from cluster.tls import first_bytes_fault, handshake_fault
from cluster.wire import FRAME_BYTES_MAX, HELLO_BYTES_MAX, FrameReader, Message, ProtocolError

QUEUE_BYTES_MAX = 64 << 20
READ_BYTES = 64 << 10  #: memory for more than 128 KiB is mapped and unmapped by each call
READS_MAX = 16  #: per wake-up, so that one busy peer does not starve the others
LINGER_S = 0.2  #: for a last word (a refusal, an alert of TLS) to arrive before the connection is closed
SILENCE_MS = 1500  #: unacknowledged bytes for so long end a TCP connection


class Stream:
    def __init__(
        self,
        reactor: Reactor,
        sock: socket.socket,
        *,
        tls: ssl.SSLContext | None,
        server_side: bool,
        on_open: Callable[[Stream], None],
        on_message: Callable[[Stream, Message], None],
        on_end: Callable[[Stream, str], None],
        connecting: bool,
    ) -> None:
        self._reactor = reactor
        self._on_open, self._on_message, self._on_end = on_open, on_message, on_end
        self._reader = FrameReader(HELLO_BYTES_MAX)
        self._out = bytearray()
        self._connecting = connecting
        self._shaking = tls is not None
        self._ended = False
        self._received, self._first = False, b""
        self.peer = ""  #: name of the other end, once known
        self.address = ""  #: host:port of the other end, where the owner knows it
        self.fault: str | None = None  #: what the other end did wrong before it was ready, for the log
        self.broke_off = False  #: it ended in the middle of the TLS handshake without a word
        self.is_open = False  #: connected, and TLS is done
        self.is_ending = False  #: the last frame was queued
        self.is_ready = False  #: hellos were exchanged
        self.questions = 0  #: that it asked before it was ready
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS)
        self._tls, self._server_side = tls, server_side
        self._sock: socket.socket = sock
        if not connecting:
            self._wrap()
        reactor.add(self._sock, self._readable, self._writable)
        reactor.set_writing(self._sock, True)

    @property
    def queued_bytes(self) -> int:
        return len(self._out)

    def certificate(self) -> Mapping[str, Any] | None:
        """The other end's certificate as ssl gives it; None without TLS."""
        if not isinstance(self._sock, ssl.SSLSocket):
            return None
        return self._sock.getpeercert() or {}

    def greeted(self) -> None:
        """Hellos were exchanged: from here on frames may have their full size."""
        self.is_ready = True
        self._reader.frame_bytes_max = FRAME_BYTES_MAX

    def send(self, frame: bytes) -> None:
        """Queue a frame; `flush` or the next writable moment sends it."""
        if self._ended:
            return
        self._out += frame
        if len(self._out) > QUEUE_BYTES_MAX:
            self._reactor.call_later(0.0, lambda: self.end("it does not read what it is sent"))

    def flush(self) -> None:
        if not self._ended and not self._connecting and not self._shaking and self._out:
            self._write()

    def end(self, reason: str) -> None:
        """Close now; unsent frames are lost."""
        if self._ended:
            return
        self._ended = True
        self._reactor.remove(self._sock)
        with contextlib.suppress(OSError):
            self._sock.close()
        self._on_end(self, reason)

    def end_after_sending(self, reason: str) -> None:
        """Close once the last frame had its chance to leave (a refusal)."""
        self.is_ending = True
        self.flush()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._reactor.call_later(LINGER_S, lambda: self.end(reason))

    def _wrap(self) -> None:
        if self._tls is not None:
            self._sock = self._tls.wrap_socket(
                self._sock, server_side=self._server_side, do_handshake_on_connect=False
            )

    def _writable(self) -> None:
        if self._connecting:
            error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self.end(f"connecting: {os.strerror(error)}")
                return
            self._connecting = False
            if self._tls is not None:
                self._reactor.remove(self._sock)
                self._wrap()
                self._reactor.add(self._sock, self._readable, self._writable)
        if self._shaking:
            self._shake()
        elif not self.is_open:
            self._tell_open()
        if not self._ended and not self._shaking:
            self._write()

    def _tell_open(self) -> None:
        self.is_open = True
        self._on_open(self)

    def _shake(self) -> None:
        assert isinstance(self._sock, ssl.SSLSocket)
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._reactor.set_writing(self._sock, False)
            return
        except ssl.SSLWantWriteError:
            self._reactor.set_writing(self._sock, True)
            return
        except OSError as e:
            self.fault = handshake_fault(e)
            self.broke_off = self.fault is None
            # The alert that tells the other end why must not be lost to a reset.
            self._reactor.remove(self._sock)
            self.end_after_sending(f"TLS: {self.fault or e}")
            return
        self._shaking = False
        self._reactor.set_writing(self._sock, bool(self._out))
        self._tell_open()

    def _write(self) -> None:
        try:
            while self._out:
                with memoryview(self._out) as view, view[: 256 << 10] as part:
                    sent = self._sock.send(part)
                del self._out[:sent]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except (OSError, ssl.SSLError) as e:
            # Later, since the caller may be in the middle of sending to all peers.
            reason = str(e)
            self._reactor.call_later(0.0, lambda: self.end(reason))
            self._out.clear()
        self._reactor.set_writing(self._sock, bool(self._out))

    def _readable(self) -> None:
        if self._connecting or self._ended:
            return
        if self._shaking:
            self._shake()
            if self._shaking or self._ended:
                return
        for _ in range(READS_MAX):
            data = self._receive()
            if not data or self.is_ending:
                return  # whoever has had its last word is not listened to
            if not self._received:
                self._received, self._first = True, data[:8]
            try:
                for message in self._reader.feed(data):
                    self._on_message(self, message)
                    if self._ended:
                        return
            except ProtocolError as e:
                if not self.is_ready:
                    self.fault = first_bytes_fault(self._first) or str(e)
                self.end(self.fault or str(e))
                return
            if len(data) < READ_BYTES and not isinstance(self._sock, ssl.SSLSocket):
                return
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            # Bytes that TLS has decrypted already wake no selector.
            self._reactor.call_later(0.0, self._readable)

    def _receive(self) -> bytes:
        """Bytes, or none when there are none now or the connection has ended."""
        if self._ended:
            return b""
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except OSError as e:
            if not self.is_ready:  # with TLS 1.3 a client learns here that the server refuses it
                self.fault = handshake_fault(e)
            self.end(self.fault or str(e))
            return b""
        if not data:
            self.end("the peer closed the connection")
        return data
