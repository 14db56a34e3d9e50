"""What a run asks of agents before it goes on, as tasks of its graph. No pydantic.

A check runs a command, and `exists` looks for a path: both are met by an end that is good, and are tried
again until then, at a steady pace."""

from __future__ import annotations

from typing import Any

from scheduler.model.stored import is_stored
from scheduler.protocol import OBJECT_STORE

PREFIX = "@requires-"
"""Of the names of such tasks, which no task of a person has."""
EVERY, TIMEOUT, MAX = "30s", "1m", 1_000
OUTPUT_LIMIT, GRACE = "64KiB", "5s"


def is_check(task: str) -> bool:
    return task.startswith(PREFIX)


def name_of(place: int) -> str:
    """Of the requirement at this place of `requires`."""
    return f"{PREFIX}{place}"


def place_of(task: str) -> int:
    """The place in `requires` of what such a task asks."""
    return int(task.removeprefix(PREFIX))


def check_tasks(requires: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Canonical tasks by their names, of the requirements that are asked of agents."""
    found = {}
    for place, given in enumerate(requires):
        asked = given.get("check") or (given if "exists" in given else None)
        if asked is None:
            continue
        work = _look_for(given["exists"]) if "exists" in given else {"run": asked["run"]}
        every = asked.get("every", EVERY)
        found[name_of(place)] = {
            **work,
            "needs": [],
            "rule": "all_success",
            "on": asked.get("on") or {"pool": "default", "labels": {}},
            "env": {},
            "timeout": asked.get("timeout", TIMEOUT),
            "grace": GRACE,
            "output_limit": OUTPUT_LIMIT,
            "allow_failure": True,
            "retry": {"max": asked.get("max", MAX) - 1, "backoff": "constant", "first": every, "cap": every},
        }
    return found


def _look_for(name: str) -> dict[str, Any]:
    looks: dict[str, Any] = {"exec": ["test", "-e", name]}
    return looks | {OBJECT_STORE: name} if is_stored(name) else looks


def text_of(given: dict[str, Any]) -> str:
    """For people: what is asked of whom."""
    asked = given.get("check") or given
    pool = (asked.get("on") or {}).get("pool", "default")
    found = "object" if is_stored(given.get("exists")) else "path"
    what = f"{found} {given['exists']}" if "exists" in given else f"check {asked['run']!r}"
    return f"{what} on pool {pool}"
