"""What every HTTP request passes before and after its route. Plain ASGI: it costs tens of microseconds.

Rules: everything but `PUBLIC` needs a token, and it is judged before a byte of the body is read; what is
still being read is not work yet, and has limits of its own (`api.bodies`, `api.server`); health is never
refused for load; a write by cookie needs the CSRF token; each reply has X-Cronclave-Index and the security
headers; each error leaves as a problem. What `hot` answers goes round FastAPI.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import callbacks
from api.access import Access, bearer, check_csrf, unauthorized
from api.bodies import Reading, replay
from api.call import SCOPE_KEY, Call
from api.connection import remember_client
from api.consistency import no_leader
from api.crowd import SCOPE_KEY as CONNECTION_KEY
from api.crowd import client_of
from api.known_defaults import KnownDefaults
from api.metrics import RequestCounts
from api.ports import (
    ApiSettings,
    NoLeaderError,
    OverloadedError,
    Scheduler,
    StorageLowError,
    UnavailableError,
    VaultError,
)
from api.problems import Problem, query_problem
from api.server import REFUSAL_KEY
from api.turns import Turns
from scheduler.store.connection import DamagedError, QueryTooLongError
from scheduler.ticks import SpecError

log = logging.getLogger("cronclave.api")

REQUESTS_MAX = 512  #: at work at one time
WAITING_MAX = 1_500  #: long polls, streams, followed logs
WAITING_OF_TOKEN_MAX = 1_000  #: of them, so that nobody's keep out all others'
SESSION_BYTES_MAX = 4 << 10  #: the one body that is read before its token is judged: the token is in it
QUERY_BYTES_MAX = 16 << 10
FIELDS_MAX = 100
LAG_UNKNOWN = b"unknown"  #: instead of the age of what a node knows that has heard of no leader
WAITS = frozenset({"wait", "index", "follow"})
RETRY_AFTER_S_MAX = 30
NUMBER_DIGITS_MAX = 18

HEALTH_PATHS = frozenset({"/healthz", "/healthy.html", "/readyz"})
PUBLIC_PATHS = HEALTH_PATHS | {"/", "/cockpit", "/openapi.json", "/docs", "/favicon.ico", "/v1/ca"}
PUBLIC_PREFIXES = ("/assets/", "/cockpit/", "/problems/")
OWN_ACCESS = frozenset({"/v1/session"})  #: makes or ends a session: judges the token itself
HOOKS_PREFIX = "/v1/hooks/"  #: what is sent there is signed, and has no token
DELIVERY_BYTES_MAX = 256 << 10  #: read before its signature can be judged
WRITES = frozenset({"POST", "PUT", "DELETE", "PATCH"})

SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]

Hot = Callable[[Call], Awaitable[Response] | None]


class Place(enum.Enum):
    """Among what a request counts."""

    HEALTH = "health"
    WORK = "work"
    WAITING = "waiting"


class Connection(Protocol):
    """What the server's connection does for a request that is small and whole."""

    def proved(self) -> None:
        """A right token came over it."""
        ...

    def body_of(self, scope: Scope) -> bytes | None:
        """The whole body, if all of it is here."""
        ...

    def answer(self, scope: Scope, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Whether the whole reply was sent in one piece; if not, it has to go the usual way."""
        ...


class Door:
    """The ASGI application that wraps the routes."""

    def __init__(
        self,
        inner: ASGIApp,
        scheduler: Scheduler,
        settings: ApiSettings,
        access: Access,
        counts: RequestCounts,
        *,
        hot: Hot,
        agents: ASGIApp,
        turns: Turns,
        known_defaults: KnownDefaults,
    ) -> None:
        self._inner = inner
        self._scheduler = scheduler
        self._settings = settings
        self._access = access
        self._counts = counts
        self._hot = hot
        self._agents = agents
        self.reading = Reading()
        self._turns = turns
        self._known_defaults = known_defaults
        self._at_work = 0
        self._waiting = 0
        self._waiting_of: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._agents(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query_bytes: bytes = scope["query_string"]
        call = Call(
            self._scheduler, self._settings, scope["method"], scope["path"], {}, headers,
            client=client_of(scope), turns=self._turns, known_defaults=self._known_defaults,
        )  # fmt: skip
        connection: Connection | None = scope.get(CONNECTION_KEY)
        remember_client(scope)
        scope[SCOPE_KEY] = call
        started = False
        unread = (
            "expect" in headers
        )  # the client holds its body back: a reply without 100 ends the connection

        async def reply(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._counts.count(call.method, message["status"])
                message["headers"] = [
                    *message.get("headers", ()),
                    *SECURITY_HEADERS,
                    *self._state_headers(call),
                ]
                if unread:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            if REFUSAL_KEY in scope:
                raise scope[REFUSAL_KEY]
            if len(query_bytes) > QUERY_BYTES_MAX:
                raise Problem("validation", f"the query is longer than {QUERY_BYTES_MAX} bytes")
            if query_bytes:
                call.query = _query(query_bytes, each_once=call.path.startswith("/v1/"))
            if await self._admit(call) and connection is not None:
                connection.proved()
            with self.reading.of(call.principal.name, call.client) as share:
                if call.method in WRITES and not _is_public(call.path):
                    most = self._settings.body_bytes_max
                    if call.path in OWN_ACCESS:
                        most = min(most, SESSION_BYTES_MAX)
                    elif is_delivery(call.method, call.path):
                        most = min(most, DELIVERY_BYTES_MAX)
                    unread = False
                    here = None if connection is None else connection.body_of(scope)
                    if here is None:
                        call.body = await share.read(headers, receive, most)
                    else:
                        call.body = share.take(here, most)
                    receive = replay(call.body, receive)
                place = self._place(call)
                self._count(place, call.principal.name)
                try:
                    if place is not Place.HEALTH:
                        await self._turns.mine()
                    hot = self._hot(call)
                    if hot is None:
                        await self._inner(scope, receive, reply)
                    else:
                        answer = await hot
                        if connection is None or not self._sent_whole(connection, scope, call, answer):
                            await answer(scope, receive, reply)
                finally:
                    self._uncount(place, call.principal.name)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if started:
                raise
            await self.problem_of(error).response()(scope, receive, reply)

    def _sent_whole(self, connection: Connection, scope: Scope, call: Call, answer: Response) -> bool:
        """Whether the connection took the reply in one piece: two writes are two system calls."""
        headers = [*answer.raw_headers, *SECURITY_HEADERS, *self._state_headers(call)]
        taken = connection.answer(scope, answer.status_code, headers, bytes(answer.body))
        if taken:
            self._counts.count(call.method, answer.status_code)
        return taken

    def _place(self, call: Call) -> Place:
        if call.path in HEALTH_PATHS:
            return Place.HEALTH
        return Place.WAITING if self._may_wait(call) else Place.WORK

    def _count(self, place: Place, token: str) -> None:
        """Among what is at work, or what waits for something to happen; health among neither. Raises
        Problem."""
        if place is Place.WORK:
            _refuse_above("overloaded", self._at_work, REQUESTS_MAX)
            self._at_work += 1
        elif place is Place.WAITING:
            of_token = self._waiting_of.get(token, 0)
            _refuse_above("too-many-requests", self._waiting, WAITING_MAX)
            _refuse_above("too-many-requests", of_token, WAITING_OF_TOKEN_MAX)
            self._waiting += 1
            self._waiting_of[token] = of_token + 1

    def _uncount(self, place: Place, token: str) -> None:
        if place is Place.WORK:
            self._at_work -= 1
        elif place is Place.WAITING:
            self._waiting -= 1
            self._waiting_of[token] -= 1
            if not self._waiting_of[token]:
                del self._waiting_of[token]

    def _may_wait(self, call: Call) -> bool:
        """Whether it asks for something that may come late: by what was read of the query, however it was
        written. A number that is none is refused later."""
        if call.path == "/v1/events":
            return True
        if not call.query:
            return False
        if not call.query.keys().isdisjoint(WAITS):
            return True
        wanted = call.query.get("min_index", "")
        is_number = wanted.isascii() and wanted.isdigit()
        return is_number and (len(wanted) > NUMBER_DIGITS_MAX or int(wanted) > self._scheduler.index)

    def _state_headers(self, call: Call) -> list[tuple[bytes, bytes]]:
        index = self._scheduler.index if call.index is None else call.index
        headers = [(b"x-cronclave-index", b"%d" % index)]
        if call.is_stale:
            lag = LAG_UNKNOWN if call.lag_ms is None else b"%d" % call.lag_ms
            headers.append((b"x-cronclave-lag-ms", lag))
        return headers

    async def _admit(self, call: Call) -> bool:
        """Whether it is known who asks; the rest may be asked by anybody. Raises Problem."""
        if _is_public(call.path) or call.path in OWN_ACCESS or is_delivery(call.method, call.path):
            return False
        token = bearer(call.headers)
        if token is not None and callbacks.is_callback(call.method, call.path, token):
            call.callback = self._callback_of(token, call.client)
            return True
        call.principal = await self._access.identify(call.headers, call.client)
        if call.method in WRITES:
            check_csrf(call.principal, call.headers)
        return True

    def _callback_of(self, token: str, client: str) -> callbacks.Callback:
        """Known without a look at the state: any node knows it. Raises Problem."""
        try:
            with self._scheduler.read() as store:
                found = callbacks.read(self._settings.vault, store, token)
        except VaultError as error:
            said = f"node {self._scheduler.status().node} cannot tell whose token it is: {error}"
            raise Problem("unavailable", said, headers={"Retry-After": "5"}) from None
        if found is None:
            self._access.failures.look(client, time.monotonic())
            self._access.failures.note(client, time.monotonic())
            raise unauthorized("the token is none of an attempt of this cluster")
        return found

    def problem_of(self, error: Exception) -> Problem:
        """The reply for whatever left a route."""
        if isinstance(error, Problem):
            return error
        if isinstance(error, NoLeaderError):
            return no_leader(str(error))
        if isinstance(error, OverloadedError):
            return _overloaded(error)
        if isinstance(error, StorageLowError):
            return Problem("storage-low", str(error), headers={"Retry-After": "30"})
        if isinstance(error, UnavailableError):
            return Problem("unavailable", str(error) or "the node is stopping", headers={"Retry-After": "5"})
        if isinstance(error, QueryTooLongError):
            return Problem("query-too-long", str(error), headers={"Retry-After": "1"})
        if isinstance(error, SpecError):
            return Problem("unreadable-schedule", str(error))
        if isinstance(error, DamagedError):
            return Problem("damaged", str(error), headers={"Retry-After": "5"})
        log.error("a request failed", exc_info=error)
        return Problem("internal", f"the request failed: {type(error).__name__}")


def _overloaded(error: OverloadedError) -> Problem:
    if error.retry_after_s is None:
        return Problem("overloaded", str(error) or "too many proposals wait", headers={"Retry-After": "1"})
    after_s = min(RETRY_AFTER_S_MAX, math.ceil(error.retry_after_s))
    return Problem("too-many-requests", str(error), headers={"Retry-After": str(after_s)})


def is_delivery(method: str, path: str) -> bool:
    """Whether it is sent to a hook: its route judges the signature."""
    return method == "POST" and path.startswith(HOOKS_PREFIX)


def _is_public(path: str) -> bool:
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES)


def _refuse_above(kind: str, count: int, most: int) -> None:
    if count >= most:
        raise Problem(kind, f"more than {most} requests at one time", headers={"Retry-After": "1"})


def _query(raw: bytes, *, each_once: bool) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
        )
    except ValueError:
        raise Problem("validation", "the query string is not valid: bad UTF-8 or too many fields") from None
    query = dict(pairs)
    if each_once and len(query) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise query_problem(twice[:64], "given more than once", "Several values of one go with commas.")
    return query
