"""Eyes on a cluster while it is broken: what each node says of itself, and the events that each tells.

Rules: a thread of its own for each node, so that one that hangs hides no other; every request has a time
limit.
A view is written when it changes, and once a second. Events go to events/NODE.jsonl; a stream that broke is
resumed after the last id that was seen, at the same node; where the history after it is gone there, the
line `reset` says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx2

from chaos.history import History, now_s

LOOK_S = 0.1
ANSWER_S = 1.0
SAY_AGAIN_S = 1.0
VIEW = ("state", "leader", "term", "epoch", "index", "quorum", "ready", "state_hash")
NOT_EVENTS = frozenset({"hello"})


class Watched(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...


class Observer:
    def __init__(self, nodes: Sequence[Watched], token: str, history: History, folder: Path) -> None:
        self._headers = {"authorization": f"Bearer {token}"}
        self._history, self._folder = history, folder
        self._views: dict[str, tuple[float, dict[str, Any]]] = {}
        self._over = threading.Event()
        self._nodes = list(nodes)
        self._threads = [
            threading.Thread(target=act, args=(node,), name=f"{act.__name__}-{node.name}", daemon=True)
            for node in nodes
            for act in (self._watch, self._follow)
        ]

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(5)

    def leader(self) -> str | None:
        """The node that leads with a quorum by its own fresh word; of several the one of the highest term."""
        fresh = now_s() - 3 * SAY_AGAIN_S
        claims = [
            (view["term"], name)
            for name, (at_s, view) in list(self._views.items())
            if at_s > fresh and view["state"] == "leader" and view["quorum"]
        ]
        return max(claims)[1] if claims else None

    def _watch(self, node: Watched) -> None:
        said_s, before = 0.0, None
        with httpx2.Client(headers=self._headers, timeout=ANSWER_S, trust_env=False) as http:
            while not self._over.wait(LOOK_S):
                view = _view(http, node)
                at_s = now_s()
                if view is not None:
                    self._views[node.name] = (at_s, view)
                else:
                    self._views.pop(node.name, None)  # a dead leader is nobody to aim at
                shape = _shape(view)
                if shape != before or at_s - said_s > SAY_AGAIN_S:
                    self._history.write("view", node=node.name, **(view or {"state": "silent"}))
                    said_s, before = at_s, shape

    def _follow(self, node: Watched) -> None:
        last = "0.0"
        limits = httpx2.Timeout(ANSWER_S, read=15.0)
        with (self._folder / f"{node.name}.jsonl").open("a", buffering=1) as file:
            while not self._over.wait(LOOK_S):
                try:
                    with (
                        httpx2.Client(headers=self._headers, timeout=limits, trust_env=False) as http,
                        http.stream("GET", f"{node.url}/v1/events", headers={"last-event-id": last}) as reply,
                    ):
                        for event in _events(reply.iter_lines()):
                            if self._over.is_set():
                                return
                            last = event["id"]
                            if event["event"] not in NOT_EVENTS:
                                file.write(json.dumps({"t": round(now_s(), 4), **event}) + "\n")
                except httpx2.HTTPError:
                    continue


def _view(http: httpx2.Client, node: Watched) -> dict[str, Any] | None:
    try:
        reply = http.get(f"{node.url}/v1/cluster?consistency=stale")
        told = reply.json() if reply.status_code == 200 else None
    except (httpx2.HTTPError, ValueError):
        return None
    return None if told is None else {key: told[key] for key in VIEW}


def _shape(view: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if view is None else tuple(view[key] for key in ("state", "leader", "term", "epoch", "ready"))


def _events(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    """Server-sent events (WHATWG HTML, 9.2): fields up to an empty line; comments begin with a colon."""
    found: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in found and "id" in found:
                data = json.loads(found["data"])
                yield {**data, "id": found["id"], "event": found.get("event", "message")}
            found = {}
        elif not line.startswith(":"):
            key, _, value = line.partition(":")
            found[key] = value.removeprefix(" ")
