"""A simulated client: each request and its end are in the history. What may have happened although no success
was told (a lost connection, 5xx, 429) is `info`; only what surely did not happen is `fail`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2

from chaos.history import History, Outcome

ANSWER_S = 4.0


class Api:
    """Requests of one simulated client, each to a node of its own choice; for one thread."""

    def __init__(self, name: str, urls: Sequence[str], token: str, history: History, seed: int) -> None:
        self.name, self.history = name, history
        self.dice = random.Random(f"{seed} {name}")
        self._urls = list(urls)
        self._http = httpx2.Client(
            headers={"authorization": f"Bearer {token}"}, timeout=ANSWER_S, trust_env=False
        )

    def call(
        self,
        op: str,
        method: str,
        path: str,
        *,
        told: Mapping[str, Any],
        body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        read: Callable[[Any, httpx2.Response], dict[str, Any]] | None = None,
    ) -> tuple[Outcome, int, dict[str, Any]]:
        """One request, its invocation and its end in the history; `content`: its body as bytes. Gives
        outcome, status, what was read."""
        number = self.dice.randrange(len(self._urls))
        operation = self.history.invoke(self.name, op, node=number, **told)
        try:
            reply = self._http.request(
                method, f"{self._urls[number]}{path}", json=body, content=content, headers=headers
            )
        except httpx2.ConnectError as error:
            self.history.end(operation, "fail", error=type(error).__name__)
            return "fail", 0, {}
        except httpx2.HTTPError as error:
            self.history.end(operation, "info", error=type(error).__name__)
            return "info", 0, {}
        status = reply.status_code
        if status >= 500 or status == 429:
            self.history.end(operation, "info", status=status)
            return "info", status, {}
        result: dict[str, Any] = {}
        if status < 400 and read is not None:
            result = read(reply.json() if reply.content else None, reply)
        outcome: Outcome = "ok" if status < 400 or (method == "GET" and status == 404) else "fail"
        self.history.end(operation, outcome, status=status, **result)
        return outcome, status, result

    def close(self) -> None:
        self._http.close()
