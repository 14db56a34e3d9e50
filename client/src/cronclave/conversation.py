"""One client's conversation with one cluster: which node, which bytes, what is asked again. No socket, no
clock.

What is asked again, for as long as the client has patience (`within_s`):

1. A node that refuses the connection: the next one, at once.
2. A node that has no leader, is behind, or has no room (503, 429): after a moment, the next one. A failover
   takes well under a second, so whoever asks in the middle of one sees nothing of it.
3. A reply that never came. Each write carries an Idempotency-Key, and is done once however often it is sent.
   One whose connection ended LOSSES_MAX times is not sent again: should it be what ends the nodes, the next
   one stays.

The first request of a client looks whom it talks to: the version has to fit, and the other nodes are
learned, so one address is enough.
"""

from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import h11

from cronclave.effects import Connect, Receive, Send, Sleep, Talk, Wire
from cronclave.errors import (
    CronclaveError,
    DeniedError,
    ProblemError,
    UnreachableError,
    VersionError,
    problem_error,
)
from cronclave.target import Target, need_address

SERVER_MIN = (0, 1)  #: the oldest version whose API this client speaks
PATIENCE_S = 30.0
REPLY_S = 40.0  #: for a reply, beyond the time that a request asks the node to wait
CONNECT_S = 5.0
PAUSE_S, PAUSE_MAX_S = 0.1, 1.0
LOSSES_MAX = 3
IDLE_MAX = 16
NODES_MAX = 64
BODY_BYTES_MAX = 64 << 20
PASSING = frozenset(
    {"no-leader", "behind", "overloaded", "unavailable", "told-too-often", "too-many-requests"}
)


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes = b""
    key: str = ""  #: an Idempotency-Key; a write without one is given its own
    wait_s: float = 0.0  #: how long it asks the node to wait
    type: str = "application/json"

    def keyed(self) -> Request:
        if self.method == "GET" or self.key:
            return self
        return Request(self.method, self.path, self.body, uuid.uuid4().hex, self.wait_s, self.type)


def path_of(*parts: str | int, **query: object) -> str:
    """/v1/parts?query, quoted; a query of None or False is left out."""
    path = "/v1/" + "/".join(quote(str(part), safe="") for part in parts)
    pairs = {
        key.rstrip("_"): "true" if value is True else str(_said(value))
        for key, value in query.items()
        if value is not None and value is not False
    }
    return f"{path}?{urlencode(pairs)}" if pairs else path


def json_body(document: Any) -> bytes:
    """Dates, instants, durations and the like are written as the API has them. Raises CronclaveError for what
    cannot be."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=_said).encode()


def _said(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    from cronclave.jobs.word import plain

    return plain(value)


@dataclass(slots=True)
class _Line:
    """A connection and where its HTTP stands."""

    url: str
    wire: Wire
    http: h11.Connection
    used: bool = False


@dataclass(slots=True)
class Reply:
    """A good reply whose body is unread, or partly."""

    status: int
    headers: Mapping[str, str]  #: names in lower case
    url: str
    _line: _Line = field(repr=False)
    _session: Session = field(repr=False)
    _within_s: float = 0.0
    _is_read: bool = False

    def read(self) -> Talk[bytes]:
        """The next bytes of the body; none at its end. Raises OSError where it breaks off."""
        event = yield from self._session.next_event(self._line, self._within_s)
        while not isinstance(event, h11.EndOfMessage):
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.ConnectionClosed):
                raise ConnectionError("the reply broke off")
            event = yield from self._session.next_event(self._line, self._within_s)
        self._is_read = True
        self._session.put_back(self._line)
        return b""

    def whole(self) -> Talk[bytes]:
        found = bytearray()
        while data := (yield from self.read()):
            found += data
            if len(found) > BODY_BYTES_MAX:
                self.close()
                raise CronclaveError(f"{self.url} answers with more than {BODY_BYTES_MAX} bytes")
        return bytes(found)

    def close(self) -> None:
        """Whoever does not read it to its end gives its connection up."""
        if not self._is_read:
            self._line.wire.close()


class Session:
    """Which nodes there are, which one answered last, and connections that are open. Shared by everything
    that one client does at a time."""

    def __init__(
        self,
        target: Target,
        clock: Callable[[], float],
        *,
        within_s: float = PATIENCE_S,
        reply_s: float = REPLY_S,
        agent: str = "",
        meet: bool = True,
    ) -> None:
        self.target = target
        self.urls = list(target.urls)
        self._is_met = not meet
        self._clock = clock
        self._within_s = within_s
        self._reply_s = reply_s
        self._agent = agent
        self._at = 0
        self._idle: list[_Line] = []

    @property
    def url(self) -> str:
        return self.urls[self._at % len(self.urls)]

    def now(self) -> float:
        return self._clock()

    def close(self) -> None:
        """Close what is open. The session may go on: it opens new ones."""
        while self._idle:
            self._idle.pop().wire.close()

    # -- asking -----------------------------------------------------------------------------------------

    def json(self, request: Request) -> Talk[Any]:
        """The reply's JSON; None where it has none. Raises CronclaveError."""
        _, _, data = yield from self.whole(request)
        return json.loads(data) if data else None

    def whole(self, request: Request) -> Talk[tuple[int, Mapping[str, str], bytes]]:
        """Status, headers and body of a good reply, asked again where it broke off. Raises CronclaveError."""
        if not self._is_met:
            yield from self._meet()
        request = request.keyed()
        found: tuple[int, Mapping[str, str], bytes] = yield from self._persist(request, self._read_whole)
        return found

    def open(self, request: Request) -> Talk[Reply]:
        """A good reply, its body unread: close it, or read it to its end. Raises CronclaveError."""
        if not self._is_met:
            yield from self._meet()
        request = request.keyed()
        found: Reply = yield from self._persist(request, self._read_head)
        return found

    def _read_head(self, reply: Reply) -> Talk[Reply]:
        return reply
        yield

    def _read_whole(self, reply: Reply) -> Talk[tuple[int, Mapping[str, str], bytes]]:
        return reply.status, reply.headers, (yield from reply.whole())

    def _persist(self, request: Request, read: Callable[[Reply], Talk[Any]]) -> Talk[Any]:
        """Ask until there is an answer, or no patience left."""
        deadline_s = self._clock() + self._within_s
        tried: dict[str, str] = {}
        unproved: set[str] = set()  #: nodes whose certificate is refused
        lost = asked = 0
        pause_s = PAUSE_S
        while True:
            url, problem, line, wait_s = self.url, None, None, 0.0
            try:
                line = yield from self._line(url)
                fresh = not line.used
                reply = yield from self._exchange(line, request)
                if reply.status < 300:
                    return (yield from read(reply))
                problem = self._problem(reply, (yield from reply.whole()))
                if problem.kind not in PASSING:
                    raise problem
                tried[url] = problem.detail
                wait_s = _seconds(reply.headers.get("retry-after", ""))
            except GeneratorExit:  # nobody waits for it any more
                if line is not None:
                    line.wire.close()
                raise
            except OSError as error:
                tried[url] = str(error) or type(error).__name__
                if isinstance(error, ssl.SSLCertVerificationError):
                    unproved.add(url)
                    if len(unproved) == len(self.urls):
                        raise self._unreachable("no node's certificate is trusted", tried, request) from None
                if line is not None:
                    line.wire.close()
                    if not fresh:
                        continue  # it was closed while nobody used it; there are only so many
                    lost += 1
                    if request.method != "GET" and lost >= LOSSES_MAX:
                        raise self._unreachable(
                            f"{request.method} {request.path}: the connection ended {lost} times before"
                            " the reply; whether it was done is unknown, and it is not sent again",
                            tried, request,
                        ) from None  # fmt: skip
            self._next(url)
            asked += 1
            now_s = self._clock()
            if now_s >= deadline_s:
                if problem is not None:
                    raise problem
                raise self._unreachable("no node answers", tried, request)
            # A round over all nodes without a pause, then a moment, longer each time.
            if asked % len(self.urls) == 0:
                yield Sleep(min(max(pause_s, min(wait_s, PAUSE_MAX_S)), max(0.0, deadline_s - now_s)))
                pause_s = min(2 * pause_s, PAUSE_MAX_S)

    def _next(self, url: str) -> None:
        """Away from this node, unless somebody else of this client has left it already."""
        if self.url == url:
            self._at += 1

    def _unreachable(self, what: str, tried: Mapping[str, str], request: Request) -> UnreachableError:
        key = request.key
        hint = f"Nodes are taken from {self.target.source}. Do they run?"
        if key:
            hint += f" To do it once all the same, ask again with key={key!r}."
        return UnreachableError(what, tried=tried, key=key, hint=hint)

    def _problem(self, reply: Reply, body: bytes) -> ProblemError:
        try:
            problem = json.loads(body)
        except ValueError:
            problem = None
        if not isinstance(problem, dict) or "title" not in problem:
            text = body[:200].decode(errors="replace").strip()
            problem = {"title": f"{reply.url} answered {reply.status}: {text}"}
        return problem_error(problem, reply.status)

    # -- whom it talks to -------------------------------------------------------------------------------

    def _meet(self) -> Talk[None]:
        """Look at the version of a node, and learn the others."""
        path = path_of("cluster", consistency="stale")
        try:
            _, _, data = yield from self._persist(Request("GET", path), self._read_whole)
            told = json.loads(data)
            version = str(told["version"])
            peers = [str(peer["url"]) for peer in told["peers"]]
        except DeniedError:
            raise
        except (ProblemError, ValueError, KeyError, TypeError) as error:
            raise VersionError(
                f"{self.url} did not answer as a Cronclave node: {error}",
                hint=f"Is that a Cronclave node? Nodes are taken from {self.target.source}.",
            ) from None
        if _numbers(version) < SERVER_MIN:
            least = ".".join(map(str, SERVER_MIN))
            raise VersionError(
                f"{self.url} is of version {version}, and this client talks to {least} and newer",
                hint=f"Upgrade the cluster, or install its client: cronclave-client=={version}",
            )
        for url in peers:
            self._learn(url.rstrip("/"))
        self._is_met = True

    def _learn(self, url: str) -> None:
        if url in self.urls or len(self.urls) >= NODES_MAX or not url:
            return
        # Nodes say where they are: never in plain text where the program came by TLS.
        if urlsplit(url).scheme == "http" and any(each.startswith("https") for each in self.target.urls):
            return
        try:
            need_address(url, self.target)
        except CronclaveError:
            return
        self.urls.append(url)

    # -- HTTP -------------------------------------------------------------------------------------------

    def _line(self, url: str) -> Talk[_Line]:
        for line in self._idle[::-1]:
            if line.url == url:
                with suppress(ValueError):  # another thread was quicker
                    self._idle.remove(line)
                    return line
        wire = yield Connect(url, CONNECT_S)
        return _Line(url, wire, h11.Connection(h11.CLIENT))

    def put_back(self, line: _Line) -> None:
        """Its reply is read: the next request may take it."""
        if (
            line.http.our_state is h11.DONE
            and line.http.their_state is h11.DONE
            and len(self._idle) < IDLE_MAX
        ):
            line.http.start_next_cycle()
            line.used = True
            self._idle.append(line)
        else:
            line.wire.close()

    def _exchange(self, line: _Line, request: Request) -> Talk[Reply]:
        parts = urlsplit(line.url)
        headers = {
            "Host": parts.netloc.rpartition("@")[2],
            "Accept": "application/json",
            "User-Agent": self._agent,
        }
        if self.target.token:
            headers["Authorization"] = f"Bearer {self.target.token}"
        if request.method != "GET":
            headers["Content-Length"] = str(len(request.body))
            headers["Idempotency-Key"] = request.key
        if request.body:
            headers["Content-Type"] = request.type
        within_s, target = self._reply_s + request.wait_s, parts.path + request.path
        try:
            data = line.http.send(
                h11.Request(method=request.method, target=target, headers=list(headers.items()))
            ) or b""  # fmt: skip
            if request.body:
                data += line.http.send(h11.Data(data=request.body)) or b""
            data += line.http.send(h11.EndOfMessage()) or b""
        except h11.LocalProtocolError as error:
            line.wire.close()
            raise CronclaveError(f"this cannot be sent: {error}") from None
        yield Send(line.wire, data, within_s)
        event = yield from self.next_event(line, within_s)
        while not isinstance(event, h11.Response):
            if isinstance(event, h11.ConnectionClosed | h11.EndOfMessage):
                raise ConnectionError("it closed the connection without a reply")
            event = yield from self.next_event(line, within_s)
        found = {name.decode().lower(): value.decode("latin-1") for name, value in event.headers}
        return Reply(event.status_code, found, line.url, line, self, within_s)

    def next_event(self, line: _Line, within_s: float) -> Talk[Any]:
        """What comes next. Raises OSError where it is no HTTP."""
        try:
            event = line.http.next_event()
            while event is h11.NEED_DATA:
                line.http.receive_data((yield Receive(line.wire, within_s)))
                event = line.http.next_event()
        except h11.RemoteProtocolError as error:
            raise ConnectionError(f"it does not speak HTTP: {error}") from None
        return event


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _numbers(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split("."):
        if not (part.isascii() and part.isdigit()):
            break
        numbers.append(int(part))
    return tuple(numbers)
