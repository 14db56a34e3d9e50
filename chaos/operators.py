"""People who operate while things break: they pause jobs, the namespace and everything, drain agents, and let
all of it go on again.

Rules:
1. Each request is in the history as an operation `pause` or `resume` of a target. Of one target there is one
   at a time.
2. What was paused is resumed until that was acknowledged, in the end too, before anything settles; but some
   pauses of jobs end by themselves, and nobody resumes them before. A pause of the namespace or of everything
   ends by itself as well, so that one whose answer was lost, and which comes late, keeps nothing back for
   long. The steady job is paused with all others alone.
3. A staging cluster has other jobs and agents than ours: there, our jobs alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chaos.checkers.liveness import PULSE
from chaos.client import Api

NAMESPACE = "default"
EVERY_S = (0.5, 3.0)  #: between one pause and the next of the same person
EVERYTHING_S = (3.0, 8.0)  #: of who pauses everything: what faults do is not to be hidden by it
STANDS_S = (0.8, 2.5)
ENDS_S = 2.0  #: a pause of one job, where it is to end by itself
ENDS_ITSELF = 0.5  #: so many of them are
UNTIL_S = 4.0  #: a pause of several jobs is over then, whatever becomes of its resume
AGAIN_S = 0.25
RESUMED_S = 60.0  #: a limit of the last resumes


@dataclass(frozen=True, slots=True)
class Target:
    """What is paused: a job, a namespace, everything, or an agent, which drains."""

    of: str
    name: str

    @property
    def _path(self) -> str:
        return {
            "job": f"/v1/jobs/{self.name}",
            "agent": f"/v1/agents/{self.name}",
            "namespace": f"/v1/namespaces/{self.name}",
            "all": "/v1",
        }[self.of]

    @property
    def told(self) -> dict[str, str]:
        return {"of": self.of, "name": self.name}

    def pause(self, api: Api, *, ends: bool = False) -> bool:
        """Whether it was acknowledged. The instant of its own end is by the wall clock of this host; a job's
        pause has one where it `ends`."""
        if self.of == "job" and not ends:
            return api.call("pause", "POST", f"{self._path}/pause", told=self.told)[0] == "ok"
        if self.of == "agent":
            body = {"reason": "chaos"}
            return api.call("pause", "POST", f"{self._path}/drain", told=self.told, body=body)[0] == "ok"
        until_s = time.time() + (ENDS_S if self.of == "job" else UNTIL_S)
        until = datetime.fromtimestamp(until_s, UTC).isoformat(timespec="milliseconds")
        told = {**self.told, "until_ms": round(until_s * 1000)}
        body = {"reason": "chaos", "until": until.replace("+00:00", "Z")}
        return api.call("pause", "POST", f"{self._path}/pause", told=told, body=body)[0] == "ok"

    def resume(self, api: Api) -> bool:
        return api.call("resume", "POST", f"{self._path}/resume", told=self.told)[0] == "ok"


def targets(load: str, jobs: Sequence[str], agents: Sequence[str]) -> list[list[Target]]:
    """By person: what they pause, each of them one thing at a time."""
    ours = [Target("job", name) for name in jobs if name != PULSE]
    if load == "light":
        return [ours]
    everything = [Target("namespace", NAMESPACE), Target("all", "")]
    return [ours, [Target("agent", name) for name in agents], everything]


class Operator:
    """One of them: pauses something for a while, over and over, until `over`."""

    def __init__(self, targets: Sequence[Target], over: threading.Event) -> None:
        self._targets, self._over = list(targets), over
        self._every_s = EVERYTHING_S if any(target.of == "all" for target in targets) else EVERY_S

    def work(self, api: Api) -> None:
        while not self._over.wait(api.dice.uniform(*self._every_s)):
            target = api.dice.choice(self._targets)
            ends = target.of == "job" and api.dice.random() < ENDS_ITSELF
            target.pause(api, ends=ends)  # an answer that was lost may have been a yes
            self._over.wait(api.dice.uniform(*STANDS_S))
            if not ends:
                self._resume(api, target, self._over.is_set)
        until_s = time.monotonic() + RESUMED_S
        for target in self._targets:  # also what a pause that came late keeps back
            self._resume(api, target, lambda: time.monotonic() > until_s)

    def _resume(self, api: Api, target: Target, enough: Callable[[], Any]) -> None:
        while not target.resume(api) and not enough():
            time.sleep(AGAIN_S)
