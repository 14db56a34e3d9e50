"""Clients that change jobs under If-Match, and that start runs with an Idempotency-Key."""

from __future__ import annotations

from typing import Any

import httpx2

from chaos.client import Api

AGAIN = 0.2  #: so often a key is repeated


class Writer:
    """Changes one job under If-Match, as one of several: reads, then writes what it read plus one."""

    def __init__(self, job: str, seed: int, number: int) -> None:
        self._job, self._who = job, f"{seed}-{number}"
        self._count = 0

    def __call__(self, api: Api) -> None:
        path, told = f"/v1/jobs/{self._job}", {"job": self._job}
        outcome, status, seen = api.call("get", "GET", path, told=told, read=_register)
        if outcome != "ok":
            return
        absent = status == 404
        if not absent and api.dice.random() < 0.1:
            revision = seen["revision"]
            api.call(
                "delete", "DELETE", path,
                told={**told, "if_match": revision}, headers={"if-match": f'"{revision}"'},
            )  # fmt: skip
            return
        self._count += 1
        uid = f"{self._job}-{self._who}-{self._count}"
        body = {"job": self._job, "labels": {"uid": uid}, "noop": True}
        matching = {"if-none-match": "*"} if absent else {"if-match": f'"{seen["revision"]}"'}
        if_match = 0 if absent else seen["revision"]
        api.call(
            "put", "PUT", path,
            told={**told, "uid": uid, "if_match": if_match}, body=body, headers=matching, read=_register,
        )  # fmt: skip


def _register(document: Any, reply: httpx2.Response) -> dict[str, Any]:
    labels = (document or {}).get("labels") or {}
    return {"revision": int(reply.headers.get("etag", '"0"').strip('"')), "uid": labels.get("uid")}


class Runner:
    """Starts runs with an Idempotency-Key; repeats the key when the answer was lost, and now and then anyway:
    at once, or much later, when another node may lead."""

    def __init__(self, job: str, seed: int) -> None:
        self._job, self._seed = job, seed
        self._count = 0
        self._looking: list[int] = []
        self._words: list[str] = []

    def __call__(self, api: Api) -> None:
        self._count += 1
        word = f"{self._job}-{self._seed}-{self._count}"
        for _ in range(3):
            run = self._ask(api, word)
            if run is not None:
                self._looking.append(run)
                if api.dice.random() > AGAIN:
                    break
        if self._words and api.dice.random() < AGAIN:
            self._ask(api, api.dice.choice(self._words))
        self._words.append(word)
        if self._looking:
            run = api.dice.choice(self._looking[-20:])
            api.call(
                "look", "GET", f"/v1/runs/{run}", told={"run": run},
                read=lambda document, _: {"state": document["state"]},
            )  # fmt: skip

    def _ask(self, api: Api, word: str) -> int | None:
        """The run of this word; None where no success was told."""
        outcome, _, result = api.call(
            "run", "POST", f"/v1/jobs/{self._job}/runs",
            told={"job": self._job, "word": word}, body={"params": {"word": word}},
            headers={"idempotency-key": word}, read=lambda document, _: {"run": document["id"]},
        )  # fmt: skip
        return int(result["run"]) if outcome == "ok" else None
