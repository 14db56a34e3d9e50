"""What is too much for one request: laid down in slices, then switched live by one word, all or none.

Slices and the word may be sent again, so a lost connection costs nothing. Ctrl-C, and whatever else ends it
before the word, drops what was laid down.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from cli.client import Client, path_of
from cli.exits import TIMED_OUT, Failure
from cli.progress import waiting

LOOK_S = 0.5
LIVE_S_MAX = 900.0
PROBLEMS_SHOWN = 20


class Stage:
    """One staged apply of this command."""

    def __init__(self, client: Client, **query: Any) -> None:
        self.name = f"cli-{uuid.uuid4().hex}"
        self._client = client
        self._query = query
        self._slices = 0
        self._told: Mapping[str, Any] = {}

    def lay(self, body: bytes) -> Mapping[str, Any]:
        """One slice; what it would change. Raises Failure."""
        path = path_of("apply", **self._query, stage=self.name, slice=self._slices)
        reply: Mapping[str, Any] = self._client.send("POST", path, body)
        self._slices += 1
        diff: Mapping[str, Any] = reply["diff"]
        return diff

    def commit(
        self, *, dry_run: bool = False, prune: bool = False, prune_max: int | None = None
    ) -> Mapping[str, Any]:
        """What it changed, or would change. Raises Failure, with what is in the way."""
        path = path_of(
            "apply", stage=self.name, commit=True, slices=self._slices, dry_run=dry_run, prune=prune,
            prune_max=prune_max if prune else None,
        )  # fmt: skip
        until_s = time.monotonic() + LIVE_S_MAX
        with waiting("checking" if dry_run else "going live", far=self._far):
            self._told = self._ask(lambda: self._client.post(path))
            while self._told["state"] in ("checking", "switching"):
                if time.monotonic() > until_s:
                    hint = "It goes on by itself."
                    raise Failure(f"{self.name} is still {self._told['state']}", code=TIMED_OUT, hint=hint)
                time.sleep(LOOK_S)
                self._told = self._ask(self._look)
        if self._told["state"] not in ("done", "judged"):
            raise _failure(self._told)
        return self._told

    def drop(self) -> None:
        """As far as the cluster can be reached: what is left expires."""
        with suppress(Failure):
            self._client.delete(path_of("apply", stage=self.name))

    def _look(self) -> Any:
        return self._client.get(path_of("apply", stage=self.name, consistency="stale"))

    def _ask(self, ask: Callable[[], Any]) -> Mapping[str, Any]:
        try:
            told: Mapping[str, Any] = ask()
        except Failure as failure:
            if failure.kind != "conflict":
                raise
            told = self._look()  # refused: with all that is in the way
            if told["state"] == "open":
                raise
        return told

    def _far(self) -> str:
        told = self._told
        return f"{told['state']}: {told['gone_through']} of {told['items']}" if told else ""


def _failure(told: Mapping[str, Any]) -> Failure:
    problems = told["problems"]
    details = [
        f"{each['namespace']}/{each['name']}: {each['detail']}" if each["name"] else str(each["detail"])
        for each in problems[:PROBLEMS_SHOWN]
    ]
    return Failure(f"nothing was applied: {told['reason'] or told['state']}", details=details)
