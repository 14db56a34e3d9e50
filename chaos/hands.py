"""Hands on live runs while things break: a person starts a run and holds, suspends, skips, stops, retries or
cancels, and repeats, or lays verdicts over, what has ended.

    one ── two ── three      `one` takes WORK_S; `two` fails at first where its run is to fail (FAILS)

Rules:
1. Each request is an operation `hand`, with a reason of its own: by it the audit tells whether it was made.
2. What was held or suspended is let go until that is answered, in the end too, so that nothing waits for
   ever.
3. Runs of schedules are repeated too: such a run has the tick of another one, and is none of its outcomes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chaos.client import Api
from chaos.workflows import NONCE, OF_ONE, Payload, seen

JOB = "handled"
ONE, TWO, THREE = "one", "two", "three"
WELL, FAILS = "well", "fails"
WORK_S = 1.0
RETRY_S = 40.0  #: before `two` is tried again, unless somebody does it now
STANDS_S = (0.3, 1.6)
AGAIN_S = 0.25
UNKNOWN = 404
LET_GO_S = 60.0  #: a limit of the last releases
KEPT = 10  #: runs that are repeated, or overridden: of the newest
REPEATED: Mapping[str, Mapping[str, Any]] = {"failing": {"from_failed": True}, "sleep": {"from": "then"}}
"""Of these jobs on schedules runs are repeated, so."""
VERDICTS = ("succeeded", "failed")


def body_of(job: Mapping[str, Any], payload: Payload) -> dict[str, Any]:
    """`job`: what all jobs of the load have."""
    fails = f'[ "$CRONCLAVE_PARAM_HOW.$CRONCLAVE_ATTEMPT" != {FAILS}.1 ] || exit 1\n'
    tasks = {
        ONE: {"run": payload(sleep_s=WORK_S, work=NONCE), "outputs": ["nonce"]},
        TWO: {
            "run": payload(given=OF_ONE, leave=fails), "needs": [ONE],
            "retry": {"delays": [f"{RETRY_S:g}s"], "on": [1]},
        },
        THREE: {"run": payload(given=OF_ONE), "needs": [ONE, TWO]},
    }  # fmt: skip
    return {**job, "tasks": tasks, "params": {"how": {"type": "string", "default": WELL}}}


class Hands:
    """One act after the other, each of another kind, until `over`."""

    def __init__(self, seed: int, over: threading.Event, repeated: Sequence[str]) -> None:
        self._seed, self._over = seed, over
        self._repeated = [name for name in REPEATED if name in repeated]
        self._turn = self._count = 0
        self._ended: list[int] = []
        self._acts: list[Callable[[Api], None]] = [
            self._hold, self._suspend, self._skip, self._repeat_own, self._override, self._retry,
            self._release, self._pass, self._stop, self._repeat_tick, self._cancel,
        ]  # fmt: skip

    def __call__(self, api: Api) -> None:
        self._acts[self._turn % len(self._acts)](api)
        self._turn += 1

    # -- what is done

    def _hold(self, api: Api) -> None:
        self._kept_back(api, "hold", "release", TWO)

    def _suspend(self, api: Api) -> None:
        self._kept_back(api, "suspend", "resume")

    def _kept_back(self, api: Api, hand: str, undo: str, task: str = "") -> None:
        run = self._start(api)
        if run is not None:
            self._hand(api, hand, run, task)  # an answer that was lost may have been a yes
            self._over.wait(api.dice.uniform(*STANDS_S) + (WORK_S if task else 0))
            self._surely(api, undo, run, task)

    def _release(self, api: Api) -> None:
        run = self._start(api, held=True)
        if run is not None:
            self._over.wait(api.dice.uniform(*STANDS_S))
            self._surely(api, "release", run)

    def _skip(self, api: Api) -> None:
        self._once(api, "skip", THREE)

    def _pass(self, api: Api) -> None:
        self._once(api, "skip", TWO, {"pass": True})

    def _stop(self, api: Api) -> None:
        self._once(api, "stop", ONE)

    def _cancel(self, api: Api) -> None:
        self._once(api, "cancel")

    def _once(self, api: Api, hand: str, task: str = "", body: Mapping[str, Any] | None = None) -> None:
        run = self._start(api)
        if run is not None:
            self._over.wait(api.dice.uniform(0, WORK_S))
            self._hand(api, hand, run, task, body)

    def _retry(self, api: Api) -> None:
        run = self._start(api, how=FAILS)
        if run is None:
            return
        until_s = time.monotonic() + 4 * WORK_S
        while time.monotonic() < until_s and not self._over.wait(AGAIN_S):
            found = self._look(api, run)
            if found.get("tasks", {}).get(TWO, (0, ""))[1] == "retry_wait":
                self._surely(api, "retry", run, TWO)
                return
        self._surely(api, "cancel", run)  # nobody waits for its next try

    def _override(self, api: Api) -> None:
        run = self._an_ended(api)
        if run is not None:
            self._hand(api, "override", run, body={"as": api.dice.choice(VERDICTS)})

    def _repeat_own(self, api: Api) -> None:
        run = self._an_ended(api)
        if run is not None:
            self._repeat(api, JOB, run, {"from": TWO})

    def _repeat_tick(self, api: Api) -> None:
        if not self._repeated:
            return
        job = api.dice.choice(self._repeated)
        query = f"/v1/runs?job={job}&state=succeeded,failed&brief=true&limit={KEPT}"
        newest = api.call(
            "newest", "GET", query, told={}, read=lambda page, _: {"runs": [r["id"] for r in page["items"]]}
        )[2].get("runs", [])
        if newest:
            self._repeat(api, job, api.dice.choice(newest), REPEATED[job])

    # -- how

    def _start(self, api: Api, *, how: str = WELL, held: bool = False) -> int | None:
        """A run; asked for until it is answered, since one that is held would wait for ever."""
        self._count += 1
        key = f"{JOB}-{self._seed}-{self._count}"
        until_s = time.monotonic() + LET_GO_S
        while time.monotonic() < until_s:
            outcome, status, found = api.call(
                "hand-run", "POST", f"/v1/jobs/{JOB}/runs", told={"job": JOB, "held": held},
                body={"params": {"how": how}, "held": held}, headers={"idempotency-key": key},
                read=lambda document, _: {"run": document["id"]},
            )  # fmt: skip
            if outcome == "ok":
                if how == WELL:
                    self._ended.append(found["run"])
                return int(found["run"])
            if (outcome == "fail" and status > 0) or (self._over.is_set() and not held):
                return None
            time.sleep(AGAIN_S)
        return None

    def _hand(
        self, api: Api, hand: str, run: int, task: str = "", body: Mapping[str, Any] | None = None
    ) -> bool:
        """Whether it was answered."""
        self._count += 1
        reason = f"{hand} {self._seed}-{self._count}"
        of_task = f"/tasks/{task}" if task else ""
        outcome, status, _ = api.call(
            "hand", "POST", f"/v1/runs/{run}{of_task}/{hand}",
            told={"hand": hand, "run": run, "task": task, "reason": reason, **(body or {})},
            body=None if hand == "cancel" else {"reason": reason, **(body or {})},
            read=lambda document, _: {"state": document["state"]},
        )  # fmt: skip
        # A node that is behind does not know a run that another one has just made: it is asked again.
        return outcome == "ok" or (outcome == "fail" and status not in (0, UNKNOWN))

    def _surely(self, api: Api, hand: str, run: int, task: str = "") -> None:
        until_s = time.monotonic() + LET_GO_S
        while not self._hand(api, hand, run, task) and time.monotonic() < until_s:
            time.sleep(AGAIN_S)

    def _repeat(self, api: Api, job: str, run: int, how: Mapping[str, Any]) -> None:
        self._count += 1
        reason = f"rerun {self._seed}-{self._count}"
        api.call(
            "rerun", "POST", f"/v1/runs/{run}/rerun", told={"job": job, "run": run, "reason": reason, **how},
            body={**how, "reason": reason}, read=lambda document, _: {"made": document["id"]},
        )  # fmt: skip

    def _an_ended(self, api: Api) -> int | None:
        """One of the newest that has ended well."""
        for run in self._ended[-2:-KEPT:-1]:
            if self._look(api, run).get("state") == "succeeded":
                return run
        return None

    def _look(self, api: Api, run: int) -> dict[str, Any]:
        return api.call("look", "GET", f"/v1/runs/{run}", told={"run": run}, read=seen)[2]
