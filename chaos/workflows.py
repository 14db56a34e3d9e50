"""What happens inside a run: a job with a group that is retried and caught, one that is repeated, runs of
another job and a task at the end; and a job that finishes itself. Payloads tell their task, their round, and
what they were given.

    write ── tried ─────────────────┬─ until ─────────────────┐
             one ── two             │  turn, TURNS rounds     ├─ finally: close
             fails by its run's     ├─ child  waits           │
             number; catch: rescue  └─ aside  does not ───────┘

Rules:
1. By its number a run is PLAIN, RETRIED (`two` fails in round 0) or CAUGHT (it fails in each round).
2. What a task writes is the fence of its own attempt: no other has it, and its payload's line tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chaos.client import Api

JOB, NESTED, FINISHED = "rounds", "nested", "finishes"
PLAIN, RETRIED, CAUGHT = range(3)  #: the number of a run by 3
TURNS = 2
WRITE, ONE, TWO, RESCUE, TURN, CLOSE = "write", "one", "two", "rescue", "turn", "close"
TRIED, UNTIL, CHILD, ASIDE = "tried", "until", "child", "aside"
BEGIN, ENOUGH, SLOW, NEVER = "begin", "enough", "slow", "never"
NESTED_S = 1.2  #: longer than all else of the run that waits for it
LONG = "60s"  #: a sleep that is broken off: a run that waits for it is not through in the end
ASKED = (JOB, FINISHED, JOB)  #: in turn
LOOKED_AT = 10  #: the newest runs that are looked at

Payload = Callable[..., str]
"""`payload`, with all that is the same for the jobs of a load."""

NONCE = 'echo "nonce=$CRONCLAVE_FENCE" > "$CRONCLAVE_OUTPUT"\n'
OF_ONE = "$CRONCLAVE_OUTPUT_ONE_NONCE"
_LEFT = f'echo "left=$(({TURNS - 1} - CRONCLAVE_ROUND))" > "$CRONCLAVE_OUTPUT"\n'
_FAILS = f"case $((CRONCLAVE_RUN % 3)).$CRONCLAVE_ROUND in {RETRIED}.0|{CAUGHT}.*) exit 1;; esac\n"


def bodies_of(job: Callable[[str], Mapping[str, Any]], payload: Payload) -> dict[str, dict[str, Any]]:
    """The jobs by name, the one that others begin first; `job`: what all jobs of the load have."""
    of_write, rest = "$CRONCLAVE_OUTPUT_WRITE_NONCE", "$CRONCLAVE_REST"
    tasks: dict[str, dict[str, Any]] = {
        WRITE: {"run": payload(work=NONCE), "outputs": ["nonce"]},
        ONE: {"run": payload(work=NONCE, given=of_write), "outputs": ["nonce"]},
        TWO: {"run": payload(given=OF_ONE, leave=_FAILS), "needs": [ONE]},
        RESCUE: {"run": payload(given=OF_ONE)},
        TURN: {"run": payload(work=_LEFT, given=OF_ONE), "outputs": ["left"]},
        CHILD: {"needs": [TRIED], "job": {"name": NESTED, "params": {"of": CHILD}}},
        ASIDE: {"needs": [TRIED], "job": {"name": NESTED, "params": {"of": ASIDE}, "wait": False}},
        CLOSE: {"run": payload(given=rest)},
    }
    groups = {
        TRIED: {
            "tasks": [ONE, TWO], "needs": [WRITE], "retry": {"delays": ["300ms"]}, "catch": [RESCUE],
        },
        UNTIL: {
            "tasks": [TURN], "needs": [TRIED],
            "repeat": {"until": f"{TURN}.outputs.left == 0", "max": TURNS + 1, "pause": "200ms"},
        },
    }  # fmt: skip
    finishing: dict[str, dict[str, Any]] = {
        BEGIN: {"run": payload()},
        ENOUGH: {"needs": [BEGIN], "finish": "succeeded"},
        SLOW: {"needs": [BEGIN], "sleep": LONG},
        NEVER: {"needs": [SLOW], "run": payload()},
        CLOSE: {"run": payload(given=rest)},
    }
    return {
        NESTED: {**job(NESTED), "run": payload(sleep_s=NESTED_S), "params": {"of": {"type": "string"}}},
        JOB: {**job(JOB), "tasks": tasks, "groups": groups, "finally": [CLOSE]},
        FINISHED: {**job(FINISHED), "tasks": finishing, "finally": [CLOSE]},
    }


class Asker:
    """Starts runs of these jobs in turn, and looks at one of the newest."""

    def __init__(self) -> None:
        self._count = 0
        self._runs: list[int] = []

    def __call__(self, api: Api) -> None:
        job = ASKED[self._count % len(ASKED)]
        self._count += 1
        outcome, _, found = api.call(
            "workflow", "POST", f"/v1/jobs/{job}/runs", told={"job": job}, body={},
            read=lambda document, _: {"run": document["id"]},
        )  # fmt: skip
        if outcome == "ok":
            self._runs.append(found["run"])
        if self._runs:
            run = api.dice.choice(self._runs[-LOOKED_AT:])
            api.call("look", "GET", f"/v1/runs/{run}", told={"run": run}, read=seen)


def seen(document: Any, _: object) -> dict[str, Any]:
    """What is kept of a run that somebody looked at: how it and the newest rounds of its tasks stand."""
    tasks = {name: [task["round"], task["state"]] for name, task in document["tasks"].items()}
    return {"state": document["state"], "tasks": tasks}
