"""Another system that sends deliveries to a hook while things break: signed, again under the same id until
one is answered, and now and then once more than that, when another node may lead.

Rules: each has a word of its own, which its run's payload writes. What was answered is in the history with
all that came of it. A node that has no room for it (429), or none now, is asked again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx2

from chaos.client import Api

JOB, HOOK, SECRET = "pushed", "chaos-pushes", "chaos-push-key"
TRIES = 6
AGAIN = 0.3  #: so often one that was answered is sent once more
KEPT = 20  #: answered ones that may be


def key_of(seed: int) -> bytes:
    return hashlib.sha256(f"push {seed}".encode()).digest()


def secret_of(seed: int) -> str:
    return "whsec_" + base64.b64encode(key_of(seed)).decode()


def signed(seed: int, delivery: str, body: bytes) -> dict[str, str]:
    """The headers, as Standard Webhooks says."""
    instant = str(int(time.time()))
    digest = hmac.new(key_of(seed), f"{delivery}.{instant}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {
        "webhook-id": delivery, "webhook-timestamp": instant, "webhook-signature": signature,
        "content-type": "application/json",
    }  # fmt: skip


def job_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The job that a delivery runs, by what all jobs of the load have."""
    words = {"word": {"type": "string", "required": True}}
    return {**body, "params": words, "triggers": {"webhook": HOOK, "id": "push"}}


class Sender:
    def __init__(self, seed: int) -> None:
        self._seed, self._count = seed, 0
        self._answered: list[str] = []

    def __call__(self, api: Api) -> None:
        self._count += 1
        delivery = f"push-{self._seed}-{self._count}"
        if any(self._send(api, delivery) for _ in range(TRIES)):
            self._answered = [*self._answered, delivery][-KEPT:]
        if self._answered and api.dice.random() < AGAIN:
            self._send(api, api.dice.choice(self._answered))

    def _send(self, api: Api, delivery: str) -> bool:
        """Whether it was answered."""
        body = json.dumps({"word": delivery, "nothing": [1]}).encode()
        outcome, _, _ = api.call(
            "deliver", "POST", f"/v1/hooks/{HOOK}", told={"delivery": delivery}, content=body,
            headers=signed(self._seed, delivery, body), read=_answer,
        )  # fmt: skip
        return outcome == "ok"


def _answer(document: Any, _: httpx2.Response) -> dict[str, Any]:
    keys = ("job", "run", "outcome", "reason")
    return {"firings": [[each[key] for key in keys] for each in document["firings"]]}
