"""What every HTTP request passes before and after its route. Plain ASGI: it costs tens of microseconds.

Rules: a body is counted while it is read, so that chunked uploads have the same limit; everything but
`PUBLIC` needs a token; a write by cookie needs the CSRF token; each reply has X-Cronclave-Index and the
security headers; each error leaves as a problem. The hot routes (`hot`) are called here directly, in front
of FastAPI, with the same functions that FastAPI documents.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import Access, check_csrf
from api.call import SCOPE_KEY, Call
from api.consistency import no_leader
from api.metrics import RequestCounts
from api.ports import (
    ApiSettings,
    NoLeaderError,
    OverloadedError,
    Scheduler,
    StorageLowError,
    UnavailableError,
)
from api.problems import Problem
from scheduler.store.connection import DamagedError, QueryTooLongError

log = logging.getLogger("cronclave.api")

REQUESTS_MAX = 512  #: at work at one time
WAITING_MAX = 1_000  #: long polls, streams, followed logs
DRAIN_BYTES_MAX = 16 << 20  #: read and thrown away, so that the client gets to read its 413
QUERY_BYTES_MAX = 16 << 10
FIELDS_MAX = 100

PUBLIC_PATHS = frozenset(
    {"/", "/healthz", "/healthy.html", "/readyz", "/openapi.json", "/docs", "/favicon.ico", "/v1/ca"}
)
PUBLIC_PREFIXES = ("/cockpit/", "/problems/")
OWN_ACCESS = frozenset({"/v1/session"})  #: makes or ends a session: judges the token itself
WRITES = frozenset({"POST", "PUT", "DELETE", "PATCH"})

SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]

HotRoute = Callable[[Call, str], Awaitable[Response]]


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
        put_job: HotRoute,
        run_job: HotRoute,
        agents: ASGIApp,
    ) -> None:
        self._inner = inner
        self._scheduler = scheduler
        self._settings = settings
        self._access = access
        self._counts = counts
        self._put_job = put_job
        self._run_job = run_job
        self._agents = agents
        self._at_work = 0
        self._waiting = 0

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
        call = Call(self._scheduler, self._settings, scope["method"], scope["path"], {}, headers)
        scope[SCOPE_KEY] = call
        started = False

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
            await send(message)

        waiting = b"wait=" in query_bytes or b"follow" in query_bytes or scope["path"] == "/v1/events"
        if waiting:
            self._waiting += 1
        else:
            self._at_work += 1
        try:
            if (self._waiting > WAITING_MAX) if waiting else (self._at_work > REQUESTS_MAX):
                raise Problem(
                    "too-many-requests" if waiting else "overloaded",
                    f"more than {WAITING_MAX if waiting else REQUESTS_MAX} requests at one time",
                    headers={"Retry-After": "1"},
                )
            if len(query_bytes) > QUERY_BYTES_MAX:
                raise Problem("validation", f"the query is longer than {QUERY_BYTES_MAX} bytes")
            if query_bytes:
                call.query = _query(query_bytes)
            if call.method in WRITES:
                call.body = await self._read_body(headers, receive)
                receive = _replay(call.body, receive)
            await self._admit(call)
            hot = self._hot(call)
            if hot is None:
                await self._inner(scope, receive, reply)
            else:
                await (await hot)(scope, receive, reply)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if started:
                raise
            await self.problem_of(error).response()(scope, receive, reply)
        finally:
            if waiting:
                self._waiting -= 1
            else:
                self._at_work -= 1

    def _state_headers(self, call: Call) -> list[tuple[bytes, bytes]]:
        index = self._scheduler.index if call.index is None else call.index
        headers = [(b"x-cronclave-index", b"%d" % index)]
        if call.lag_ms is not None:
            headers.append((b"x-cronclave-lag-ms", b"%d" % call.lag_ms))
        return headers

    async def _admit(self, call: Call) -> None:
        path = call.path
        if path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES) or path in OWN_ACCESS:
            return
        call.principal = await self._access.identify(call.headers)
        if call.method in WRITES:
            check_csrf(call.principal, call.headers)

    def _hot(self, call: Call) -> Awaitable[Response] | None:
        path = call.path
        if not path.startswith("/v1/jobs/"):
            return None
        rest = path[9:]
        if call.method == "PUT" and rest and "/" not in rest:
            return self._put_job(call, rest)
        if call.method == "POST" and rest.endswith("/runs") and rest.count("/") == 1:
            return self._run_job(call, rest[:-5])
        return None

    async def _read_body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        most = self._settings.body_bytes_max
        declared = headers.get("content-length", "")
        too_large = declared.isascii() and declared.isdigit() and int(declared) > most
        if too_large and int(declared) > DRAIN_BYTES_MAX:
            raise body_too_large(most)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem("http", "the client went away in the middle of the body")
            chunk = message.get("body", b"")
            size += len(chunk)
            too_large = too_large or size > most
            if size > DRAIN_BYTES_MAX:
                raise body_too_large(most)
            if too_large:
                chunks.clear()
            else:
                chunks.append(chunk)
            if not message.get("more_body", False):
                break
        if too_large:
            raise body_too_large(most)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def problem_of(self, error: Exception) -> Problem:
        """The reply for whatever left a route."""
        if isinstance(error, Problem):
            return error
        if isinstance(error, NoLeaderError):
            return no_leader(str(error))
        if isinstance(error, OverloadedError):
            return Problem(
                "overloaded", str(error) or "too many proposals wait", headers={"Retry-After": "1"}
            )
        if isinstance(error, StorageLowError):
            return Problem("storage-low", str(error), headers={"Retry-After": "30"})
        if isinstance(error, UnavailableError):
            return Problem("unavailable", str(error) or "the node is stopping", headers={"Retry-After": "5"})
        if isinstance(error, QueryTooLongError):
            return Problem("query-too-long", str(error), headers={"Retry-After": "1"})
        if isinstance(error, DamagedError):
            return Problem("damaged", str(error), headers={"Retry-After": "5"})
        log.error("a request failed", exc_info=error)
        return Problem("internal", f"the request failed: {type(error).__name__}")


def body_too_large(most: int) -> Problem:
    return Problem("too-large", f"a body may have {most} bytes at most", headers={"Connection": "close"})


def _query(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
        )
    except ValueError:
        raise Problem("validation", "the query string is not valid: bad UTF-8 or too many fields") from None
    return dict(pairs)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives out the body that was read already, then whatever comes (the disconnect)."""
    given = False

    async def again() -> dict[str, Any]:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return dict(await receive())

    return again
