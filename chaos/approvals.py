"""A job that asks a person, and the people who answer while things break.

    at-the-desk: first ── ask ─┬─ yes   when it was approved
                               └─ no    when it was rejected, or nobody answered in EXPIRES_S

All of it is a block that holds the one desk there is, also while somebody is asked.

Rules:
1. Each answer has a reason of its own: by it the run tells which of them counted.
2. An answer is sent until it is answered itself; some runs are left alone, some are answered again,
   otherwise.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from chaos.client import Api

JOB = "asked"
FIRST, ASK, YES, NO = "first", "ask", "yes", "no"
APPROVE, REJECT = "approve", "reject"
ENDS: Mapping[str, str] = {APPROVE: "succeeded", REJECT: "failed"}
BLOCK, DESK = "at-the-desk", "desk"
RESOURCES: Mapping[str, Mapping[str, Any]] = {DESK: {"count": 1}}
EXPIRES_S = 6
AGAIN_S = 0.3
LEFT_ALONE, OTHERWISE = 0.15, 0.3  #: shares of runs
AT_FIRST = 3  #: answers, before any run is left alone: each of those holds up the next
BEFORE_S = 2 * EXPIRES_S  #: as long is an answer sent

Payload = Callable[..., str]
"""`payload`, with all that is the same for the jobs of a load."""


def body_of(body: Mapping[str, Any], payload: Payload) -> dict[str, Any]:
    """By what all jobs of the load have."""
    tasks: dict[str, dict[str, Any]] = {
        FIRST: {"run": payload()},
        ASK: {
            "approval": {"expires": f"{EXPIRES_S}s", "text": "Go on?"}, "needs": [FIRST],
            "allow_failure": True,
        },
        YES: {"run": payload(), "needs": [ASK], "rule": "all_done", "when": f"{ASK}.succeeded"},
        NO: {"run": payload(), "needs": [ASK], "rule": "all_done", "when": f"not {ASK}.succeeded"},
    }  # fmt: skip
    return {**body, "tasks": tasks, "groups": {BLOCK: {"tasks": list(tasks), "locks": [DESK]}}}


class Approver:
    """Starts a run and answers it, over and over, until `over`."""

    def __init__(self, seed: int, over: threading.Event) -> None:
        self._seed, self._over = seed, over
        self._count = self._taken = 0

    def __call__(self, api: Api) -> None:
        outcome, _, found = api.call(
            "ask", "POST", f"/v1/jobs/{JOB}/runs", told={"job": JOB}, body={},
            read=lambda document, _: {"run": document["id"]},
        )  # fmt: skip
        if outcome != "ok" or (api.dice.random() < LEFT_ALONE and self._taken >= AT_FIRST):
            return
        word = APPROVE if api.dice.random() < 0.6 else REJECT
        self._surely(api, found["run"], word)
        if api.dice.random() < OTHERWISE:
            self._answer(api, found["run"], REJECT if word == APPROVE else APPROVE)

    def _surely(self, api: Api, run: int, word: str) -> None:
        """It is asked once its first task has ended; a node may not know of it yet."""
        for _ in range(round(BEFORE_S / AGAIN_S)):
            if self._over.wait(AGAIN_S) or self._answer(api, run, word):
                return

    def _answer(self, api: Api, run: int, word: str) -> bool:
        """Whether it was taken."""
        self._count += 1
        reason = f"{word} {self._seed}-{self._count}"
        outcome, _, _ = api.call(
            "answer", "POST", f"/v1/runs/{run}/tasks/{ASK}/{word}",
            told={"run": run, "answer": word, "reason": reason}, body={"reason": reason},
            read=lambda document, _: {"state": document["state"]},
        )  # fmt: skip
        self._taken += outcome == "ok"
        return outcome == "ok"
