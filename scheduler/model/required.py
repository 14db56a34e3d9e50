"""What runs of a job require, as the machine reads it. No pydantic."""

from __future__ import annotations

from typing import Any, NamedTuple

from scheduler.model.checks import check_tasks, name_of, text_of
from scheduler.model.named import resolved
from scheduler.model.quantities import parse_duration_ms


class Requirement(NamedTuple):
    parent: str  #: job/namespace/name or board/namespace/name; empty: `task` says it
    text: str  #: for people: what it asks for
    since: str = ""  #: of a job: last_run | plan_date; empty: `within_ms` says it
    within_ms: int = 0  #: so long before the run's due instant
    number: int = 1  #: 0: each tick of the plan date
    state: str = ""  #: succeeded | failed | ended
    key: str = ""  #: of a notice; empty: any
    consumes: bool = False
    task: int | None = None  #: the place in its run's graph of the task that asks an agent

    @property
    def is_job(self) -> bool:
        return bool(self.state)

    @property
    def is_of_all(self) -> bool:
        """It asks for each tick of the plan date."""
        return self.is_job and not self.number


class Requires(NamedTuple):
    each: tuple[Requirement, ...]
    need: int  #: so many of them
    if_not_planned: str  #: wait | skip | go
    timeout_ms: int | None
    on_timeout: str  #: fail | skip | go

    @property
    def looks_again(self) -> bool:
        """Something may come of which nobody is told: what a trigger is due at changes by edits and dates."""
        return any(each.is_of_all for each in self.each)


def of_job(namespace: str, name: str) -> str:
    return f"job/{namespace}/{name}"


def of_board(board: str) -> str:
    """`board`: namespace/name."""
    return f"board/{board}"


def compiled_requires(shape: dict[str, Any]) -> Requires | None:
    if not shape.get("requires"):
        return None
    tasks = {name: place for place, name in enumerate(check_tasks(shape["requires"]))}
    each = tuple(
        [
            _requirement(given, shape["namespace"], tasks.get(name_of(place)))
            for place, given in enumerate(shape["requires"])
        ]
    )
    policy = shape.get("requires_policy") or {}
    need, timeout = policy.get("need", "all"), policy.get("timeout")
    wanted = {"all": len(each), "any": 1}.get(need, need)
    return Requires(
        each, min(wanted, len(each)), policy.get("if_not_planned", "wait"),
        None if timeout is None else parse_duration_ms(timeout), policy.get("on_timeout", "fail"),
    )  # fmt: skip


def _requirement(given: dict[str, Any], namespace: str, task: int | None) -> Requirement:
    if task is not None:
        return Requirement("", text_of(given), task=task)
    if "job" in given:
        since, count = given.get("since", "last_run"), given.get("count", 1)
        state = given.get("state", "succeeded")
        parent = of_job(*resolved(given["job"], namespace))
        spoken = {"last_run": "since the last run", "plan_date": "of the same plan date"}
        if count == "all":
            ends = "ended" if state == "ended" else f"that {state}"
            text = f"each tick of {given['job']} {ends} of the same plan date"
            return Requirement(parent, text, since, 0, 0, state)
        runs = f"{count} runs of {given['job']}" if count > 1 else f"a run of {given['job']}"
        text = f"{runs} {state} {spoken.get(since, f'within {since}')}"
        if since in spoken:
            return Requirement(parent, text, since, 0, count, state)
        return Requirement(parent, text, "", parse_duration_ms(since), count, state)
    key = given.get("key", "")
    text = f"a notice on board {given['notice']}" + (f" with key {key}" if key else "")
    board = "/".join(resolved(given["notice"], namespace))
    return Requirement(of_board(board), text, key=key, consumes=given.get("consume", False))
