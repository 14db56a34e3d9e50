"""Control requests: one small blocking client over http.client, which knows all nodes.

Rules: `ask` is for what must succeed in the end (it goes round the nodes until one answers, so only
use it for requests that may be repeated); `send` is one request to one node, answered or failed.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

RETRY_S = 0.05
PAGE = 1000


class RefusedError(Exception):
    """The cluster answered, and not with success."""

    def __init__(self, method: str, path: str, reply: Reply) -> None:
        super().__init__(f"{method} {path}: {reply.status} {reply.body[:2000].decode(errors='replace')}")
        self.reply = reply


class UnansweredError(Exception):
    """No node answered in time, or only to say that it has no quorum."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Not for several threads at once."""

    def __init__(self, urls: Sequence[str], token: str, ca: Path | None = None) -> None:
        """`ca`: what https nodes are checked against; read at each connection."""
        self.ca = ca
        self._urls = list(urls)
        self._token = token
        self._open: dict[int, http.client.HTTPConnection] = {}
        self._node = 0

    @property
    def urls(self) -> Sequence[str]:
        return self._urls

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        node: int = 0,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
    ) -> Reply:
        """One request to one node. Raises OSError or HTTPException when it gives no answer.

        `body`: bytes are sent as they are, anything else as JSON."""
        fields = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, separators=(",", ":")).encode()
            fields.setdefault("Content-Type", "application/json")
        connection = self._open.pop(node, None)
        if connection is None:
            connection = self._connection(self._urls[node], timeout_s)
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        try:
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()
            raise
        reply = Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, content)
        if response.will_close:
            connection.close()
        else:
            self._open[node] = connection
        return reply

    def _connection(self, url: str, timeout_s: float) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
        context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout_s, context=context
        )

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        deadline_s: float = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Repeat, node by node, until one answers. Raises RefusedError on 4xx, UnansweredError at the end."""
        until_s = time.monotonic() + deadline_s
        last = "nothing tried"
        while True:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise UnansweredError(f"{method} {path}: no answer in {deadline_s} s; last: {last}")
            try:
                reply = self.send(
                    method, path, body, node=self._node, headers=headers, timeout_s=min(10.0, left_s + 0.1)
                )
            except (OSError, http.client.HTTPException) as error:
                last = f"{self._urls[self._node]}: {error!r}"
            else:
                if reply.status < 400:
                    return reply
                if reply.status < 500 and reply.status != 429:
                    raise RefusedError(method, path, reply)
                last = f"{self._urls[self._node]}: {reply.status} {reply.body[:300]!r}"
            self._node = (self._node + 1) % len(self._urls)
            time.sleep(min(RETRY_S, max(0.0, until_s - time.monotonic())))

    def get(self, path: str, query: Mapping[str, object] | None = None, *, deadline_s: float = 30.0) -> Any:
        """The JSON at a path."""
        return self.ask("GET", f"{path}?{urlencode(query)}" if query else path, deadline_s=deadline_s).json()

    def items(
        self, path: str, filters: Mapping[str, object] | None = None, *, deadline_s: float = 30.0
    ) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        query: dict[str, object] = {"limit": PAGE, **(filters or {})}
        while True:
            page = self.get(path, query, deadline_s=deadline_s)
            yield from page["items"]
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]

    def apply(self, jobs: Sequence[Mapping[str, Any]], *, slice_size: int = 500) -> None:
        """Submit many jobs, a slice at a time."""
        for start in range(0, len(jobs), slice_size):
            self.ask("POST", "/v1/apply", {"jobs": list(jobs[start : start + slice_size])})

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()
