"""What people say of the plan of a day: dates that are closed, single ticks that are not to come as they
would, and past instants that are to have runs.

    shut     of a namespace whose date is closed and opened again, over and over
    turned   of whose coming ticks some are held and let go, skipped, moved, brought forward, or given a
             parameter
    filled   for blocks of past hours of which runs are asked for, so many at a time, and asked for again

Rules:
1. The date is half over when the load begins, so that it is the same all the time.
2. Of a tick one thing is said, and what is held is let go until that was answered, in the end too.
3. Each block of hours is asked for until that was answered, and once more later: whoever asks again makes
   nothing twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from chaos.client import Api
from chaos.operators import AGAIN_S, RESUMED_S

NAMESPACE, SHUT, TURNED, FILLED = "chaos-days", "shut", "turned", "filled"
OF_DATE = "date"
ACTS = ("hold", "skip", "move", "give", "bring")
TRIGGERS: dict[str, dict[str, Any]] = {
    SHUT: {"every": "2s", "id": "each"},
    TURNED: {"every": "1s", "id": "each"},
    FILLED: {"every": "1h", "id": "hourly"},
}
HALF_A_DAY_H = 12
STEP_MS, HOUR_MS = 1_000, 3_600_000
AHEAD_MS = 4_000  #: of a tick of which something is said
MOVED_MS, BROUGHT_MS = 3_000, -10_000  #: later, and by more than a start may be late, earlier
HELD_S = (3.0, 8.0)  #: of some until before their instant, of most until behind it
CLOSED_S, EVERY_S = (1.5, 3.0), (1.0, 3.0)
BLOCK_H, BLOCKS = 5, 120
AT_ONCE = (1, 2)  #: of the runs of a block
WORK_S = {SHUT: 0.0, TURNED: 0.0, FILLED: 0.4}
KEPT = 100_000

Payload = Callable[..., str]
"""`payload`, with all that is the same for the jobs of a load."""


class Days:
    """Whose they are. `now_s`: wall seconds of the declaration."""

    def __init__(self, now_s: float) -> None:
        now = datetime.fromtimestamp(now_s, UTC)
        self._begin = f"{(now.hour + HALF_A_DAY_H) % 24:02}:00"
        self.date = (now - timedelta(hours=HALF_A_DAY_H)).date().isoformat()
        self._first_ms = (int(now_s * 1000) // HOUR_MS - BLOCKS * BLOCK_H) * HOUR_MS

    def declared(self, pays: Payload) -> Iterator[tuple[str, dict[str, Any]]]:
        """Paths, and what is put there."""
        yield f"/v1/namespaces/{NAMESPACE}", {"plan": {"tz": "Etc/UTC", "begin": self._begin}}
        again = {"on_lost": "retry", "idempotent": True}
        for job, trigger in TRIGGERS.items():
            policies = {"overlap": "allow", "retention": {"runs": KEPT}, **(again if job == FILLED else {})}
            yield path_of(job), {
                "job": job, "policies": policies, "run": pays(sleep_s=WORK_S[job]), "triggers": trigger,
                "params": {"word": {"type": "string", "default": ""}},
                **({"retry": {"max": 5, "first": "1s"}} if job == FILLED else {}),
                **({"namespace": NAMESPACE} if job == SHUT else {}),
            }  # fmt: skip

    def people(self, over: threading.Event) -> dict[str, Person]:
        closer = Closer(f"/v1/plan/{self.date}", over)
        return {"closer": closer, "turner": Turner(over), "filler": Filler(self._first_ms, over)}


def path_of(job: str, below: str = "") -> str:
    return f"/v1/jobs/{job}{below}" + (f"?namespace={NAMESPACE}" if job == SHUT else "")


class Closer:
    """Closes the date for a while, over and over; meanwhile asks for runs of it, and repeats one."""

    def __init__(self, path: str, over: threading.Event) -> None:
        self._path, self._over = path, over

    def work(self, api: Api) -> None:
        while not self._over.wait(api.dice.uniform(*EVERY_S)):
            self._ask(api, {})
            self._call(api, "pause", "close")
            self._ask(api, {})
            run = self._ask(api, {"closed": True})
            self._over.wait(api.dice.uniform(*CLOSED_S))
            if run is not None:
                self._repeat(api, run)
            self._surely(api, self._over.is_set)
        until_s = time.monotonic() + RESUMED_S
        self._surely(api, lambda: time.monotonic() > until_s)
        told = {"of": "job", "name": SHUT}
        while time.monotonic() < until_s:
            if api.call("pause", "POST", path_of(SHUT, "/pause"), told=told)[0] == "ok":
                break
            time.sleep(AGAIN_S)

    def _call(self, api: Api, op: str, act: str) -> bool:
        told = {"of": OF_DATE, "name": NAMESPACE}
        path = f"{self._path}/{act}?namespace={NAMESPACE}"
        body = {"reason": "chaos"} if act == "close" else {}
        outcome, status, _ = api.call(op, "POST", path, told=told, body=body)
        return outcome == "ok" or (act == "open" and status == 404)

    def _surely(self, api: Api, enough: Callable[[], bool]) -> None:
        while not self._call(api, "resume", "open") and not enough():
            time.sleep(AGAIN_S)

    def _ask(self, api: Api, body: dict[str, Any]) -> int | None:
        outcome, _, read = api.call(
            "dated", "POST", path_of(SHUT, "/runs"), told={"job": SHUT, "closed": bool(body)}, body=body,
            read=lambda document, _: {"run": document["id"]},
        )  # fmt: skip
        return int(read["run"]) if outcome == "ok" else None

    def _repeat(self, api: Api, run: int) -> None:
        told = api.call(
            "look", "GET", f"/v1/runs/{run}", told={"run": run},
            read=lambda document, _: {"state": document["state"]},
        )[2]  # fmt: skip
        if told.get("state") != "succeeded":
            return  # what goes on is not repeated
        api.call(
            "rerun", "POST", f"/v1/runs/{run}/rerun", told={"job": SHUT, "run": run},
            body={"reason": "chaos"}, read=lambda document, _: {"made": document["id"]},
        )  # fmt: skip


class Turner:
    """Says something of one coming tick after the other."""

    def __init__(self, over: threading.Event) -> None:
        self._over = over
        self._last_ms = self._count = 0
        self._held: dict[int, float] = {}  #: until when each is held
        self._brought: set[int] = set()

    def work(self, api: Api) -> None:
        while not self._over.wait(api.dice.uniform(0.7, 1.1)):
            if self._last_ms <= int(time.time() * 1000) + AHEAD_MS:
                self._turn(api)
            for at_ms in [at_ms for at_ms, until_s in self._held.items() if until_s < time.monotonic()]:
                self._let_go(api, at_ms)
        until_s = time.monotonic() + RESUMED_S
        while self._held and time.monotonic() < until_s:
            for at_ms in list(self._held):
                self._let_go(api, at_ms)
            time.sleep(AGAIN_S)

    def _turn(self, api: Api) -> None:
        at_ms = max(int(time.time() * 1000) + AHEAD_MS, self._last_ms) // STEP_MS * STEP_MS + STEP_MS
        while at_ms in self._brought:
            at_ms += STEP_MS
        self._last_ms, self._count = at_ms, self._count + 1
        act = ACTS[self._count % len(ACTS)]
        if act == "bring":
            at_ms -= BROUGHT_MS
            self._brought.add(at_ms)
        word = f"given-{self._count}"
        bodies: dict[str, dict[str, Any]] = {
            "hold": {"hold": True}, "skip": {"skip": True}, "move": {"move_to": text_of(at_ms + MOVED_MS)},
            "give": {"params": {"word": word}}, "bring": {"move_to": text_of(at_ms + BROUGHT_MS)},
        }  # fmt: skip
        outcome, _, _ = self._say(api, act, at_ms, bodies[act], {"word": word} if act == "give" else {})
        if act == "hold" and outcome != "fail":
            self._held[at_ms] = time.monotonic() + api.dice.uniform(*HELD_S)

    def _let_go(self, api: Api, at_ms: int) -> None:
        outcome, status, _ = self._say(api, "release", at_ms, {"release": True}, {})
        if outcome == "ok" or (outcome == "fail" and status):
            del self._held[at_ms]

    def _say(
        self, api: Api, act: str, at_ms: int, body: dict[str, Any], told: dict[str, Any]
    ) -> tuple[str, int, dict[str, Any]]:
        path = path_of(TURNED, f"/ticks/{text_of(at_ms)}")
        return api.call("turn", "PATCH", path, told={"act": act, "at_ms": at_ms, **told}, body=body)


class Filler:
    """Asks for runs of one block of past hours after the other, and of an earlier one again."""

    def __init__(self, first_ms: int, over: threading.Event) -> None:
        self._first_ms, self._over, self._count = first_ms, over, 0

    def work(self, api: Api) -> None:
        while not self._over.wait(api.dice.uniform(1.5, 2.5)) and self._count < BLOCKS:
            self._fill(api, self._count, missing_only=False)
            if self._count:
                again = api.dice.randrange(max(0, self._count - 3), self._count)
                self._fill(api, again, missing_only=bool(api.dice.randrange(2)))
            self._count += 1

    def _fill(self, api: Api, block: int, *, missing_only: bool) -> None:
        from_ms = self._first_ms + block * BLOCK_H * HOUR_MS
        to_ms = from_ms + BLOCK_H * HOUR_MS
        at_once = api.dice.choice(AT_ONCE)
        body = {
            "from": text_of(from_ms), "to": text_of(to_ms),
            "max_active": at_once, "missing_only": missing_only,
        }  # fmt: skip
        while True:
            outcome, status, _ = api.call(
                "fill", "POST", path_of(FILLED, "/backfill"), body=body,
                told={**body, "from_ms": from_ms, "to_ms": to_ms},
                read=lambda document, _: {"backfill": document["id"]},
            )  # fmt: skip
            if outcome == "ok" or (outcome == "fail" and status) or self._over.wait(AGAIN_S):
                return


Person = Closer | Turner | Filler


def text_of(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
