"""What is asked of the cluster for one frame, and the thread that asks while somebody presses keys."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

from cli.client import Client, path_of
from cli.exits import Failure

RUNS_MAX = 100


@dataclass(frozen=True, slots=True)
class Look:
    """What was known at a time; each part is as it came from the API."""

    cluster: dict[str, Any] = field(default_factory=dict)
    overview: dict[str, Any] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    trouble: str = ""  #: why this is not what is known now
    at_s: float = 0.0  #: by the monotonic clock


def look(client: Client) -> Look:
    """Raises Failure where no node answers. Stale reads: they are answered without a leader, too."""
    cluster = client.get(path_of("cluster"))
    overview = client.get(path_of("overview", consistency="stale"))
    runs = client.get(path_of("runs", state="running", limit=RUNS_MAX, consistency="stale"))["items"]
    return Look(cluster, overview, runs, at_s=time.monotonic())


class Looker:
    """Looks again and again, so that whoever draws never waits for a node."""

    def __init__(self, client: Client, first: Look, interval_s: float) -> None:
        self._client = client
        self._interval_s = interval_s
        self._look = first
        self._wanted = threading.Event()
        self.is_held = False  #: the frame is to stay as it is
        threading.Thread(target=self._go_on, name="looker", daemon=True).start()

    @property
    def now(self) -> Look:
        return self._look

    def again(self) -> None:
        """At once."""
        self._wanted.set()

    def _go_on(self) -> None:
        while True:
            self._wanted.wait(self._interval_s)
            self._wanted.clear()
            if self.is_held:
                continue
            try:
                self._look = look(self._client)
            except Failure as failure:
                why = "; ".join([failure.message, *failure.details])
                self._look = replace(self._look, trouble=why)
