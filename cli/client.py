"""HTTP to a cluster, over the standard library: it starts in 20 ms where a client library takes 100.

What is tried again, for up to `within_s` (CRONCLAVE_RETRY, 10s by default):

1. A node that refuses the connection: the next one, at once.
2. `no-leader`, `behind`, `overloaded`, `unavailable` (503) and 429: after a moment, on the next node. A
   failover takes well under a second, so a command given in the middle of one succeeds.
3. A reply that never came: reads, and writes that carry an Idempotency-Key, which decide once however often
   they are sent. Other writes are told as unknown. A write whose connection ended LOSSES_MAX times before its
   reply is not sent again: should it be what ends the nodes, the next one stays.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from cli.exits import CONFLICT, DENIED, FAILED, NO_LEADER, NOT_FOUND, TIMED_OUT, USAGE, Failure
from cli.instants import span_s
from cli.target import Target, find_target
from settings.addresses import is_loopback

WITHIN_S = 10.0
REPLY_S = 40.0  #: beyond the time that a request asks the server to wait
PAUSE_S = 0.15
LOSSES_MAX = 2
_EXITS = {
    401: DENIED,
    403: DENIED,
    404: NOT_FOUND,
    409: CONFLICT,
    412: CONFLICT,
    503: NO_LEADER,
    504: TIMED_OUT,
}
#: What a command line has of its own to say; other hints of the API name commands beside requests.
_HINTS = {
    "unauthorized": "Give --token, set CRONCLAVE_TOKEN, or name the cluster with its token (cronclave context"
    " add). cronclave dev keeps one in .cronclave/dev.json.",
    "no-leader": "Nothing is lost: try again once a majority of the nodes runs. "
    "cronclave cluster status shows which do; lists with --stale show what a node last knew.",
}  # fmt: skip
_PASSING = frozenset(
    {"no-leader", "behind", "overloaded", "unavailable", "told-too-often", "too-many-requests"}
)


def path_of(*parts: str | int, **query: object) -> str:
    """/v1/parts?query, quoted; a query of None is left out. Raises Failure where a part is no single name:
    the cluster prints `default/deploy`, and who copies that would be told of a path that he never typed.
    """
    for part in parts:
        namespace, slash, name = str(part).partition("/")
        if slash:
            both = namespace and name and "/" not in name and parts[0] != "namespaces"
            hint = f"Of what is in a namespace say {name} --namespace {namespace}." if both else ""
            raise Failure(f"'{part}': a name has no '/'", code=USAGE, hint=hint)
    # An argument may be any bytes: the server says what is wrong with what is no text.
    path = "/v1/" + "/".join(quote(str(part), safe="", errors="surrogateescape") for part in parts)
    given = {
        key.rstrip("_"): value for key, value in query.items() if value is not None and value is not False
    }
    pairs = {key: "true" if value is True else str(value) for key, value in given.items()}
    return f"{path}?{urlencode(pairs, errors='surrogateescape')}" if pairs else path


class Client:
    """One command's conversation with one cluster."""

    def __init__(
        self, target: Target, *, within_s: float = WITHIN_S, reply_s: float = REPLY_S
    ) -> None:
        self.target = target
        self._within_s = within_s
        self._reply_s = reply_s
        self._at = 0  #: the node that answered last
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str, *, wait_s: float = 0.0) -> Any:
        return self.send("GET", path, wait_s=wait_s)

    def post(self, path: str, document: Any = None) -> Any:
        return self.send("POST", path, b"" if document is None else json.dumps(document).encode())

    def put(self, path: str, document: Any) -> Any:
        return self.send("PUT", path, json.dumps(document).encode())

    def patch(self, path: str, document: Any) -> Any:
        return self.send("PATCH", path, json.dumps(document).encode())

    def delete(self, path: str, *, headers: Mapping[str, str] | None = None) -> Any:
        return self.send("DELETE", path, headers=headers)

    def items(self, path: str, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """Up to `limit` items of a list over as many pages as that takes, and whether there are more."""
        found: list[dict[str, Any]] = []
        joint = "&" if "?" in path else "?"
        cursor: str | None = None
        while len(found) < limit:
            page = {"limit": str(min(limit - len(found), 1000))} | ({"cursor": cursor} if cursor else {})
            reply = self.get(f"{path}{joint}{urlencode(page)}")
            found += reply["items"]
            cursor = reply.get("next_cursor")
            if not cursor:
                return found, False
        return found, True

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
    ) -> Any:
        """The reply's JSON (None where there is none). Raises Failure."""
        return self.json_of(self.open(method, path, body, headers=headers, wait_s=wait_s))

    def json_of(self, response: http.client.HTTPResponse) -> Any:
        data = response.read()
        if not data:
            return None
        try:
            return json.loads(data)
        except ValueError:
            raise Failure(
                f"{self.url} did not answer with JSON", hint="Is that a Cronclave node? Check CRONCLAVE_URL."
            ) from None

    @property
    def url(self) -> str:
        return self.target.urls[self._at % len(self.target.urls)]

    def open(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
    ) -> http.client.HTTPResponse:
        """A good reply, its body unread. Raises Failure for every other end."""
        sent = self._headers(method, body, headers)
        deadline_s = time.monotonic() + self._within_s
        refused: dict[str, str] = {}
        unproved: set[str] = set()  #: nodes whose certificate was refused
        closed: set[str] = set()  #: nodes that will take no connection of ours, however often it is asked for
        lost: list[str] = []  #: where the connection ended after the write was sent
        while True:
            failure: Failure
            try:
                response = self._once(method, path, body, sent, self._reply_s + wait_s)
                if response.status < 300:
                    return response
                failure, passing = problem_failure(response.status, response.read(), self.url)
                if not passing:
                    raise failure
            except ConnectionRefusedError as error:
                closed.add(self.url)
                unproved.discard(self.url)
                refused[self.url] = str(error.strerror or error)
                failure = self._unanswered(refused, unproved)
            except ssl.SSLCertVerificationError as error:
                closed.add(self.url)
                unproved.add(self.url)
                refused[self.url] = f"its certificate is refused: {error.verify_message}"
                failure = self._unanswered(refused, unproved)
            except (OSError, http.client.HTTPException) as error:
                closed.discard(self.url)
                unproved.discard(self.url)
                refused[self.url] = str(error) or type(error).__name__
                if method != "GET" and self._connection is not None:
                    lost.append(f"{self.url}: {refused[self.url]}")
                    if "Idempotency-Key" not in sent:
                        raise Failure(
                            f"{self.url} did not answer: {error}; whether it was done is unknown"
                        ) from None
                    if len(lost) >= LOSSES_MAX:
                        raise self._lost(method, path, body, lost) from None
                failure = self._unanswered(refused, unproved)
            self.close()
            self._at += 1
            if time.monotonic() > deadline_s:
                raise failure
            # A round over all nodes without pause, then a moment.
            if self._at % len(self.target.urls) == 0:
                # Every node refuses connections: there is no failover to wait for.
                if len(closed) == len(self.target.urls):
                    raise self._unanswered(refused, unproved)
                time.sleep(PAUSE_S)

    def _headers(self, method: str, body: bytes, given: Mapping[str, str] | None) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self.target.token:
            headers["Authorization"] = f"Bearer {self.target.token}"
        if body:
            headers["Content-Type"] = "application/json"
        if method != "GET":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        return headers | dict(given or {})

    def _once(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], reply_s: float
    ) -> http.client.HTTPResponse:
        if self._connection is None:
            refuse_plain(self.url, self.target.token)
            connection = _connection(self.url, self.target, reply_s)
            connection.connect()
            self._connection = connection
        if self._connection.sock is not None:  # a kept connection has the patience of its last request
            self._connection.sock.settimeout(reply_s)
        self._connection.request(method, urlsplit(self.url).path + path, body or None, dict(headers))
        return self._connection.getresponse()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _lost(self, method: str, path: str, body: bytes, lost: list[str]) -> Failure:
        return Failure(
            f"{method} {path.partition('?')[0]} ({len(body)} bytes): the connection ended {len(lost)} times"
            " before the reply; whether it was done is unknown, and it is not sent again",
            code=NO_LEADER,
            details=lost,
            hint="Look first: cronclave cluster status, and the nodes' logs. If they went away for another"
            " reason, such as a rolling restart, give the command again.",
        )

    def _unanswered(self, refused: Mapping[str, str], unproved: set[str]) -> Failure:
        return Failure(
            "no node answers",
            code=NO_LEADER,
            details=[f"{url}: {reason}" for url, reason in refused.items()],
            hint="Set CRONCLAVE_CA (or the context's ca) to the cluster's ca.pem, and name the nodes as their"
            " certificates do."
            if unproved
            else f"Nodes are taken from {self.target.source}. Do they run?",
        )


def _connection(url: str, target: Target, timeout_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = trust(target.ca, target.ca_source)
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout_s, context=context
        )
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)


def trust(ca: str, source: str) -> ssl.SSLContext:
    """What a node's certificate is checked against: the system's authorities where no file is named."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise Failure(
            f"{source}={ca}: {error.strerror or error}",
            code=USAGE,
            hint="It names the PEM file with the cluster's CA certificates, ca.pem.",
        ) from None


def refuse_plain(url: str, token: str) -> None:
    """Raises Failure where a token would cross a network in plain text, unless CRONCLAVE_INSECURE is set."""
    parts = urlsplit(url)
    if parts.scheme == "https" or not token or os.environ.get("CRONCLAVE_INSECURE") in ("1", "true"):
        return
    if not is_loopback(parts.hostname or ""):
        raise Failure(
            f"{url} has no TLS: everybody on the way could read the token",
            code=USAGE,
            hint="Use its https address, or say CRONCLAVE_INSECURE=true if you know that network.",
        )


def problem_failure(status: int, body: bytes, url: str) -> tuple[Failure, bool]:
    """The failure that a problem+json tells, and whether trying again may help."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "title" not in problem:
        text = body[:200].decode(errors="replace").strip()
        return Failure(f"{url} answered {status}: {text}", code=_EXITS.get(status, FAILED)), False
    kind = str(problem.get("type", "")).rpartition("/")[2]
    errors = [error for error in problem.get("errors", ()) if isinstance(error, dict)]
    details = []
    for error in errors:
        hint = f" ({error['hint']})" if error.get("hint") else ""
        details.append(f"{error.get('pointer') or 'the whole'}: {error.get('detail', '')}{hint}")
    hint = str(problem.get("hint", ""))
    if details:  # they repeat what detail and hint say of the first field
        message, hint = str(problem["title"]), "" if any(hint in line for line in details) else hint
    else:
        message = str(problem.get("detail") or problem["title"])
    hint = _HINTS.get(kind, hint)
    failure = Failure(message, code=_EXITS.get(status, FAILED), details=details, hint=hint)
    failure.errors, failure.kind = errors, kind
    return failure, kind in _PASSING


def lines(response: http.client.HTTPResponse) -> Iterator[str]:
    """Lines of an endless reply as they come."""
    while True:
        line = response.readline()
        if not line:
            return
        yield line.decode(errors="replace").rstrip("\r\n")


def patience_s(usual_s: float) -> float:
    """How long is tried again: CRONCLAVE_RETRY, else this. Raises Failure."""
    text = os.environ.get("CRONCLAVE_RETRY")
    within_s = span_s(text) if text else usual_s
    if within_s is None:
        raise Failure(f"CRONCLAVE_RETRY={text!r} is no duration", code=USAGE, hint="Write it as 10s.")
    return within_s


def connect(url: str | None, token: str | None, context: str | None = None) -> Client:
    """The client of a command; raises Failure where no cluster is named."""
    return Client(find_target(url, token, context), within_s=patience_s(WITHIN_S))


def watch(url: str | None, token: str | None, context: str | None, usual_s: float) -> Client:
    """The client of one that looks, and tells soon that nobody answers."""
    within_s = patience_s(usual_s)
    target = find_target(url, token, context)
    return Client(target, within_s=within_s, reply_s=max(usual_s, within_s))
