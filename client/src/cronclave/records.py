"""What the cluster tells, as frozen records. `raw` has all of it; what is named here stays.

Instants are aware datetimes in UTC. States are the words of the API: a newer node may tell of new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ENDED = frozenset({"succeeded", "failed", "timed_out", "cancelled", "lost", "expired"})


def instant(text: str | None) -> datetime | None:
    """RFC 3339 as the API writes it."""
    return None if not text else datetime.fromisoformat(text.replace("Z", "+00:00"))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one task on one agent."""

    id: int
    number: int
    state: str
    agent: str | None
    zone: str | None
    member: str | None
    round: int
    started: datetime | None
    finished: datetime | None
    exit_code: int | None
    reason: str | None
    fence: int | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Attempt:
        return cls(
            told["id"], told["number"], told["state"], told.get("agent"), told.get("zone"),
            told.get("member"), told.get("round") or 0, instant(told.get("started")),
            instant(told.get("finished")), told.get("exit_code"), told.get("reason"), told.get("fence"), told,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """One box of a run's graph."""

    name: str
    state: str
    started: datetime | None
    finished: datetime | None
    exit_code: int | None
    reason: str | None
    outputs: Mapping[str, Any]
    attempts: tuple[Attempt, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, name: str, told: Mapping[str, Any]) -> Task:
        return cls(
            name, told["state"], instant(told.get("started")), instant(told.get("finished")),
            told.get("exit_code"), told.get("reason"), told.get("outputs") or {},
            tuple(map(Attempt.of, told.get("attempts") or ())), told,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One instance of a job."""

    id: int
    job: str
    namespace: str
    revision: int
    state: str
    cause: str
    reason: str | None
    tick: datetime | None
    plan_date: str | None
    created: datetime | None
    started: datetime | None
    finished: datetime | None
    exit_code: int | None
    warned: bool
    params: Mapping[str, Any]
    tasks: Mapping[str, Task]
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Run:
        return cls(
            told["id"], told["job"], told["namespace"], told["revision"], told["state"], told["cause"],
            told.get("reason"), instant(told.get("tick")), told.get("plan_date"),
            instant(told.get("created")), instant(told.get("started")), instant(told.get("finished")),
            told.get("exit_code"), bool(told.get("warned")), told.get("params") or {},
            {name: Task.of(name, task) for name, task in (told.get("tasks") or {}).items()}, told,
        )  # fmt: skip

    @property
    def ended(self) -> bool:
        return self.finished is not None

    @property
    def succeeded(self) -> bool:
        """Whether it ended well, or a person has said that it counts so (`run override`)."""
        verdict = self.raw.get("override")
        return bool((verdict["as"] if verdict else self.state) == "succeeded")


@dataclass(frozen=True, slots=True)
class Member:
    """One part of a task that is divided: an agent, or an item of a list."""

    name: str
    item: Any
    state: str
    started: datetime | None
    finished: datetime | None
    exit_code: int | None
    reason: str | None
    outputs: Mapping[str, Any]
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Member:
        return cls(
            told["member"], told.get("item"), told["state"], instant(told.get("started")),
            instant(told.get("finished")), told.get("exit_code"), told.get("reason"),
            told.get("outputs") or {}, told,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Output:
    """Some bytes that an attempt has written."""

    task: str
    round: int
    attempt: int
    offset: int  #: the place of the first byte in the attempt's output
    data: bytes
    member: str | None = None  #: of a task that is divided


@dataclass(frozen=True, slots=True)
class Notice:
    """What stands on a board."""

    serial: int
    key: str
    plan_date: str | None
    posted: datetime | None
    expires: datetime | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Notice:
        return cls(
            told["serial"], told["key"], told.get("plan_date"), instant(told.get("posted")),
            instant(told.get("expires")), told,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply changed, by `kind/namespace/name`; of a dry run what it would change."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    deleted: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Applied:
        def names(sort: str) -> tuple[str, ...]:
            return tuple(
                f"{each.get('kind', 'job')}/{each['namespace']}/{each['name']}"
                for each in told.get(sort) or ()
            )

        return cls(names("created"), names("changed"), names("unchanged"), names("deleted"), told)
