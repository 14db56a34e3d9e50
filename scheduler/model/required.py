"""What runs of a job require, as the machine reads it. No pydantic."""

from __future__ import annotations

from typing import Any, NamedTuple

from scheduler.model.named import resolved
from scheduler.model.quantities import parse_duration_ms


class Requirement(NamedTuple):
    parent: str  #: job/namespace/name or board/namespace/name
    text: str  #: for people: what it asks for
    since: str = ""  #: of a job: last_run | plan_date; empty: `within_ms` says it
    within_ms: int = 0  #: so long before the run's due instant
    number: int = 1
    state: str = ""  #: succeeded | failed | ended
    key: str = ""  #: of a notice; empty: any
    consumes: bool = False

    @property
    def is_job(self) -> bool:
        return bool(self.state)


class Requires(NamedTuple):
    each: tuple[Requirement, ...]
    need: int  #: so many of them
    if_not_planned: str  #: wait | skip | go
    timeout_ms: int | None
    on_timeout: str  #: fail | skip | go


def of_job(namespace: str, name: str) -> str:
    return f"job/{namespace}/{name}"


def of_board(board: str) -> str:
    """`board`: namespace/name."""
    return f"board/{board}"


def compiled_requires(shape: dict[str, Any]) -> Requires | None:
    if not shape.get("requires"):
        return None
    each = tuple([_requirement(given, shape["namespace"]) for given in shape["requires"]])
    policy = shape.get("requires_policy") or {}
    need, timeout = policy.get("need", "all"), policy.get("timeout")
    wanted = {"all": len(each), "any": 1}.get(need, need)
    return Requires(
        each, min(wanted, len(each)), policy.get("if_not_planned", "wait"),
        None if timeout is None else parse_duration_ms(timeout), policy.get("on_timeout", "fail"),
    )  # fmt: skip


def _requirement(given: dict[str, Any], namespace: str) -> Requirement:
    if "job" in given:
        since, count = given.get("since", "last_run"), given.get("count", 1)
        state = given.get("state", "succeeded")
        parent = of_job(*resolved(given["job"], namespace))
        spoken = {"last_run": "since the last run", "plan_date": "of the same plan date"}
        runs = f"{count} runs of {given['job']}" if count > 1 else f"a run of {given['job']}"
        text = f"{runs} {state} {spoken.get(since, f'within {since}')}"
        if since in spoken:
            return Requirement(parent, text, since, 0, count, state)
        return Requirement(parent, text, "", parse_duration_ms(since), count, state)
    key = given.get("key", "")
    text = f"a notice on board {given['notice']}" + (f" with key {key}" if key else "")
    board = "/".join(resolved(given["notice"], namespace))
    return Requirement(of_board(board), text, key=key, consumes=given.get("consume", False))
