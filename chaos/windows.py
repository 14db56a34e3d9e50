"""A job whose groups have admission windows: one in even minutes of UTC, one in odd ones, so that at each
full minute the one's window ends and the other's opens.

    free                                         at any time
    even   first ── each (MEMBERS, STAGGER_S apart: the window ends in the midst of some)
    odd    first of its own

Rules:
1. A list of windows is short: it begins at the minute of the declaration, and is over behind 40 of them. A
   load is.
2. Who began by his word is asked nowhere: a payload tells when it did.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from chaos.client import Api

JOB = "windowed"
FREE = "free"
FIRST, EACH = "first", "each"
EVEN, ODD = "even", "odd"
GROUPS = {EVEN: 0, ODD: 1}  #: in minutes since the epoch that leave this over, divided by 2
TASKS = {EVEN: (FIRST, EACH), ODD: ("alone",)}
MEMBERS, STAGGER_S = 4, 2
WORK_S = 0.2
MINUTE_S = 60
WINDOWS = 20  #: of each, as many as a list may have

Payload = Callable[..., str]
"""`payload`, with all that is the same for the jobs of a load."""


def body_of(body: dict[str, Any], payload: Payload, now_s: float) -> dict[str, Any]:
    """By what all jobs of the load have."""
    work = payload(sleep_s=WORK_S)
    tasks: dict[str, dict[str, Any]] = {
        FREE: {"run": payload()},
        FIRST: {"run": work},
        EACH: {"run": work, "needs": [FIRST], "fanout": {"n": MEMBERS, "stagger": f"{STAGGER_S}s"}},
        "alone": {"run": work},
    }
    groups = {
        name: {"tasks": list(TASKS[name]), "admission": {"windows": _windows(rest, now_s), "tz": "Etc/UTC"}}
        for name, rest in GROUPS.items()
    }
    return {**body, "tasks": tasks, "groups": groups}


def _windows(rest: int, now_s: float) -> list[str]:
    minute = int(now_s) // MINUTE_S
    minute += (rest - minute) % 2
    return [f"{_clock(each)}-{_clock(each + 1)}" for each in range(minute, minute + 2 * WINDOWS, 2)]


def _clock(minute: int) -> str:
    return datetime.fromtimestamp(minute * MINUTE_S, UTC).strftime("%H:%M")


def group_of(task: str) -> str:
    """Of a task, or a member; empty: it is in none."""
    name = task.partition("/")[0]
    return next((group for group, inside in TASKS.items() if name in inside), "")


def ask(api: Api) -> None:
    """One more run of it."""
    api.call(
        "window", "POST", f"/v1/jobs/{JOB}/runs", told={"job": JOB}, body={},
        read=lambda document, _: {"run": document["id"]},
    )  # fmt: skip
