"""The server's side of a connection: uvicorn's protocols with an end to everything that a client owes.

Rules: no reply is anything but a problem, also of what never became a request; what a client does not send
or does not read in time costs its connection, and nothing else; what it may send ahead is bounded. Limits of
a head's size and of a reply's pace are here; those of a body, which depend on who sends it, are in
`api.bodies`.

The smuggling shapes (two lengths, a length with chunks, spaces before a colon, bare line feeds) are the
parser's to refuse, and it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import uvicorn
from starlette.types import Scope
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.agents.large_frames import SMALL_BYTES, LargeFrames
from api.connection import Connection
from api.crowd import CLOSE_S, NEVER_S, SCOPE_KEY, Connections, origin
from api.handshakes import Listener, bound_sockets
from api.problems import MEDIA_TYPE, Problem
from scheduler.protocol import FRAME_BYTES_MAX, HELLO_BYTES_MAX

_log = logging.getLogger("cronclave.http")
_log.setLevel(logging.ERROR)  # else each slip of a stranger is a line, and fills the disk

REFUSAL_KEY = "cronclave.refusal"  #: in a scope: the Problem that the request is answered with
HEAD_BYTES_MAX = 32 << 10
HEADERS_MAX = 100
HEAD_S = 10.0  #: from the connection, or a head's first byte, to the head's end
IDLE_S = 75.0  #: between two requests: longer than balancers keep their own ends
WRITE_S = 30.0  #: for what waits to be read by the client, 64 KiB of it
DRAIN_S = 10.0  #: for the rest of a request that is answered already
DRAIN_BYTES_MAX = 16 << 20
STRANGERS_DRAIN_BYTES_MAX = 2 << 20  #: enough to read a 401 after a body that would have been allowed
LINGER_S = 2.0  #: for the client to read a refusal before the connection is reset
PIPELINED_MAX = 16
TICK_S = 1.0
PIECE_BYTES = 4 << 10  #: of what an agent sends, looked at in between: a frame may have six bytes
ODD_FRAMES_MAX = 64  #: WebSocket pings, pongs and parts of frames that come together; our agents send none
QUEUED_MAX = 2_000  #: frames that come together


class Server(uvicorn.Server):
    """uvicorn under our own signal handling, for whoever owns it ends it in an order of its own; and with the
    connections that `api.handshakes` accepts."""

    def __init__(
        self, config: uvicorn.Config, connections: Connections, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(config)
        self._connections, self._tls = connections, tls
        self._ends = asyncio.Event()

    def end(self) -> None:
        """Answer what was asked, and return from `serve`."""
        self.should_exit = True
        self._ends.set()

    async def main_loop(self) -> None:
        """As uvicorn's, at a tenth of its wake-ups: the date of replies has seconds, and `end` wakes it."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._ends.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        try:
            found = sockets or await bound_sockets(self.config.host, self.config.port)
        except OSError as error:
            logging.getLogger("uvicorn.error").error(error)
            await self.lifespan.shutdown()
            sys.exit(STARTUP_FAILURE)
        listener = Listener(found, self._connections, self._tls, self._protocol)
        self.servers = [cast(asyncio.Server, listener)]
        self.started = True

    def _protocol(self) -> asyncio.Protocol:
        http = cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class)
        return http(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def settings(connections: Connections) -> Mapping[str, Any]:
    """Settings of uvicorn that this application relies on. Agents ping by messages of their protocol."""
    return {
        "ws": _WebSocket,
        "ws_max_size": HELLO_BYTES_MAX,  # until it is told who it is: `_WebSocket.greeted`
        "ws_per_message_deflate": False,
        "ws_ping_interval": None,
        "ws_ping_timeout": None,
        "http": functools.partial(_Http, connections),
        "loop": "uvloop",
        "access_log": False,
        # uvicorn believes X-Forwarded-For and -Proto from loopback, where jobs are too: a guesser would name
        # another address each time. The address of a request is that of its connection.
        "proxy_headers": False,
        "server_header": False,
        "log_config": None,
    }


class _Ends(asyncio.Protocol):
    """What all kinds of connection have in common."""

    address = ""
    transport: asyncio.Transport
    _move_s = NEVER_S  #: until when it must send something, or close
    _read_s = NEVER_S  #: until when it must have read what was written

    @property
    def due_s(self) -> float:
        return min(self._move_s, self._read_s)

    @due_s.setter
    def due_s(self, due_s: float) -> None:
        self._move_s = due_s

    @property
    def keeps_waiting(self) -> bool:
        return True

    @property
    def is_closing(self) -> bool:
        return self.transport.is_closing()

    def overdue(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._move_s = self._read_s = NEVER_S
        self.transport.abort()

    def proved(self) -> None:
        pass

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_s = _now_s() + WRITE_S

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_s = NEVER_S


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _address(transport: asyncio.BaseTransport) -> str:
    peer = transport.get_extra_info("peername")
    return origin(str(peer[0])) if isinstance(peer, list | tuple) and peer else ""


class _Http(_Ends, Connection):
    """One HTTP connection."""

    def __init__(self, connections: Connections, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self.logger = _log
        self._all = connections
        self._is_known = False
        self._upgraded = False
        self._in_head = False  #: of a request that has begun
        self._in_body = False
        self._refused = False
        self._head_bytes = 0
        self._late_bytes = 0  #: of a request that is answered already

    # -- its beginning and its end

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.address = _address(transport)
        self.due_s = _now_s() + HEAD_S
        self._all.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.went(self)
        super().connection_lost(exc)

    @property
    def is_at_work(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    @property
    def keeps_waiting(self) -> bool:
        return not self.is_at_work or self._in_body or self.flow.write_paused

    def proved(self) -> None:
        self._is_known = True
        if not self._all.proved(self) and self.cycle is not None:
            self.cycle.keep_alive = False

    def overdue(self) -> None:
        if self._read_s <= _now_s():
            self.abort()
        elif self._in_head and self.is_at_work:
            self.due_s = _now_s() + HEAD_S  # it waits for us: a request that was sent ahead
        elif self._in_head and not self._refused and not self.is_closing:
            self._refuse(Problem("too-slow", f"the request's head was not complete within {HEAD_S:.0f} s"))
        else:
            self.abort()

    def _refuse(self, problem: Problem) -> None:
        """Answer what is no request, and end: the client gets a moment to read it."""
        if self._refused or self.is_closing:
            return
        self._refused = True
        if self.is_at_work:
            begun = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if begun:  # nobody could tell the two replies apart
                self.abort()
                return
        body = problem.body()
        lines = [
            STATUS_LINE[problem.status],
            *(b"%s: %s\r\n" % (name, value) for name, value in self.server_state.default_headers),
            b"content-type: %s\r\n" % MEDIA_TYPE.encode(),
            b"content-length: %d\r\n" % len(body),
            b"connection: close\r\n\r\n",
            body,
        ]
        self.transport.write(b"".join(lines))
        self.due_s = _now_s() + LINGER_S
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    # -- what the client sends

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        began_before = self._in_head or not (self.is_at_work or self._in_body)
        if self._in_body and not self.is_at_work:
            self._late_bytes += len(data)
            if self._late_bytes > (DRAIN_BYTES_MAX if self._is_known else STRANGERS_DRAIN_BYTES_MAX):
                self.abort()
                return
        super().data_received(data)
        if self._in_head and not self._upgraded:
            self._head_bytes += len(data) if began_before else 0
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(_head_too_large())

    def body_of(self, scope: Scope) -> bytes | None:
        """The whole body of this request, if all of it is here: nobody has to wait for it. Once."""
        cycle: RequestResponseCycle = self.cycle
        if cycle.scope is not scope or cycle.more_body:
            return None
        if cycle.disconnected or cycle.waiting_for_100_continue:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        cycle.message_event.clear()
        self.flow.resume_reading()
        return body

    def send_400_response(self, msg: str) -> None:
        self._refuse(
            Problem("http", "that is not HTTP as this server reads it: it may be malformed or ambiguous")
        )

    def handle_websocket_upgrade(self) -> None:
        self._upgraded = True
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, _WebSocket):
            protocol.watched_by(self._all, self)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if len(self.pipeline) >= PIPELINED_MAX:
            raise RuntimeError("too many requests were sent ahead")
        self._in_head = True
        self._head_bytes = 0
        self.due_s = _now_s() + HEAD_S
        cast(dict[str, Any], self.scope)[SCOPE_KEY] = self

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) <= HEADERS_MAX:  # one too many is enough to see it by
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES_MAX or len(self.headers) > HEADERS_MAX:
            cast(dict[str, Any], self.scope)[REFUSAL_KEY] = _head_too_large()
        self._in_head = False
        self._in_body = True
        self._late_bytes = 0
        self.due_s = NEVER_S
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()
        if not self.is_at_work:
            self.due_s = _now_s() + IDLE_S

    # -- what it gets

    def answer(self, scope: Scope, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send a whole reply, its length among its headers, in one piece. False: it has to go the usual way,
        since another request was sent ahead, the connection ends with it, or the client does not read."""
        cycle: RequestResponseCycle = self.cycle
        if cycle.scope is not scope or cycle.response_started or cycle.disconnected:
            return False
        if not cycle.keep_alive or self.flow.write_paused:
            return False
        all_headers = [*self.server_state.default_headers, *headers]
        head = b"".join([b"%s: %s\r\n" % pair for pair in all_headers])
        if head.count(b"\n") != len(all_headers) or head.count(b"\r") != len(all_headers):
            return False  # uvicorn refuses it in its own words
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        self.transport.write(b"".join((STATUS_LINE[status], head, b"\r\n", body)))
        cycle.message_event.set()
        cycle.on_response()
        return True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # `due_s` is all the timer there is
        if self.cycle.response_complete:
            self.cycle.body = bytearray()
        if self.is_closing:
            self.due_s = _now_s() + CLOSE_S
        elif not self.is_at_work and not self._in_head:
            self.due_s = _now_s() + (DRAIN_S if self._in_body else IDLE_S)


class _WebSocket(_Ends, WebSocketsSansIOProtocol):
    """An agent's socket. What is said over it has its own limits (api.agents.socket)."""

    _all: Connections | None = None
    _frames: LargeFrames | None = None  #: None until its token is judged: nothing large is read
    _token = ""
    _odd_frames = 0  #: in what came now
    is_in_line = False  #: it is not read: a large frame has begun, and has no place yet

    def __init__(self, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self.logger = _log

    def watched_by(self, connections: Connections, before: _Http) -> None:
        self._all = connections
        self.address = before.address
        connections.became(before, self)

    @property
    def keeps_waiting(self) -> bool:
        return not self.handshake_initiated or self.transport.is_closing()

    def proved(self) -> None:
        if self._all is not None:
            self._all.proved(self)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            cast(dict[str, Any], self.scope)[SCOPE_KEY] = self

    def connection_lost(self, exc: Exception | None) -> None:
        if self._all is not None:
            self._all.went(self)
        self.left()
        super().connection_lost(exc)

    # -- large frames, one after the other (api.agents.large_frames)

    def admitted(self, frames: LargeFrames, token: str) -> None:
        if not self.disconnected:
            self._frames, self._token = frames, token
            self._weigh()

    def greeted(self) -> None:
        self.conn.max_message_size = FRAME_BYTES_MAX

    def decoded(self) -> None:
        if self._frames is not None and not self.is_in_line:
            self._frames.leave(self, self._token)
            self._weigh()  # the next may have begun

    def left(self) -> None:
        if self._frames is not None:
            self._frames.leave(self, self._token)
            self._frames = None

    def data_received(self, data: bytes) -> None:
        self._odd_frames = 0
        for start in range(0, len(data), PIECE_BYTES):
            super().data_received(data[start : start + PIECE_BYTES])
            if self._odd_frames > ODD_FRAMES_MAX or self.queue.qsize() > QUEUED_MAX:
                self.abort()
                return
            if self.transport.is_closing():
                return
        self._weigh()

    def handle_ping(self) -> None:
        self._odd_frames += 1
        super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        self._odd_frames += 1
        super().handle_pong(event)

    def handle_cont(self, event: Any) -> None:
        self._odd_frames += 1
        super().handle_cont(event)

    async def receive(self) -> Any:
        message = await super().receive()
        if self.is_in_line:
            self._pause()  # that went on by itself, for what was in the queue
        return message

    def read_on(self) -> None:
        self.is_in_line = False
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def _weigh(self) -> None:
        """Ask for a place as soon as a frame is a large one, and wait for it without reading on."""
        if len(self.conn.reader.buffer) + (self.conn.current_size or 0) <= SMALL_BYTES:
            return
        if self._frames is not None and self._frames.ask(self, self._token):
            if self.is_in_line:
                self.read_on()
        else:
            self.is_in_line = True
            self._pause()

    def _pause(self) -> None:
        self.read_paused = True
        if not self.transport.is_closing():
            self.transport.pause_reading()


def _head_too_large() -> Problem:
    return Problem(
        "head-too-large",
        f"a request's line and headers may have {HEAD_BYTES_MAX} bytes and {HEADERS_MAX} headers at most",
        headers={"Connection": "close"},
    )
