"""The shapes of replies (docs/reference/api.md). Instants are RFC 3339 in UTC with `Z`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Instant = str


class Reply(BaseModel):
    model_config = ConfigDict(extra="allow")


class FieldError(Reply):
    pointer: str = Field(examples=["/triggers/0/cron"])
    detail: str
    hint: str | None = None


class Problem(Reply):
    type: str = Field(examples=["/problems/validation"])
    title: str
    status: int = Field(examples=[422])
    detail: str
    hint: str | None = None
    errors: list[FieldError] = []


class LastTick(Reply):
    at: Instant
    outcome: str
    reason: str | None
    run: int | None


class RunSummary(Reply):
    id: int
    state: str
    tick: Instant | None
    created: Instant
    started: Instant | None
    finished: Instant | None
    exit_code: int | None


class Job(Reply):
    """The definition in the public job schema, and what the server knows."""

    job: str = Field(examples=["nightly-report"])
    name: str = Field(examples=["nightly-report"])
    namespace: str = Field(examples=["default"])
    revision: int = Field(examples=[3])
    state: str = Field(description="active, paused or unplaceable", examples=["active"])
    pause_reason: str | None
    created: Instant
    changed: Instant
    actor: str
    source: str | None
    active_runs: int
    failures: int
    next_tick: Instant | None = Field(examples=["2026-01-02T01:00:00Z"])
    last_tick: LastTick | None
    last_run: RunSummary | None
    labels: dict[str, str] = {}
    triggers: list[dict[str, Any]] = []
    tasks: dict[str, dict[str, Any]] = {}


class Attempt(Reply):
    id: int
    number: int = Field(examples=[1])
    agent: str = Field(examples=["agent-1"])
    zone: str = Field(examples=["zone-a"])
    member: str | None
    round: int
    state: str = Field(examples=["succeeded"])
    unreachable: bool
    started: Instant | None
    finished: Instant | None
    exit_code: int | None = Field(examples=[0])
    fence: int | None


class Task(Reply):
    state: str = Field(examples=["succeeded"])
    attempts: list[Attempt]


class Run(Reply):
    id: int = Field(examples=[17])
    job: str = Field(examples=["nightly-report"])
    namespace: str
    revision: int
    tick: Instant | None
    due: Instant
    trigger: str | None = Field(examples=["nightly"])
    cause: str = Field(examples=["tick"])
    cause_key: str | None = Field(examples=["12@1767232800000"])
    state: str = Field(examples=["succeeded"])
    reason: str | None
    created: Instant
    started: Instant | None
    finished: Instant | None
    exit_code: int | None
    params: dict[str, Any]
    tasks: dict[str, Task]


class Tick(Reply):
    at: Instant
    due: Instant
    trigger: str
    outcome: str = Field(examples=["ran"])
    reason: str | None
    run: int | None
    into: Instant | None
    cause: str | None = Field(examples=["tick"])
    cause_key: str = Field(examples=["12@1767232800000"])
    decided_at: Instant | None
    epoch: int | None
    index: int | None
    tzdata: str | None
    hash: str | None


class Agent(Reply):
    id: int
    name: str
    zone: str
    pool: str
    labels: dict[str, str]
    slots: int
    busy: int
    state: str = Field(examples=["connected"])
    connected: bool
    draining: bool
    drain_reason: str | None
    node: str | None
    version: str


class Peer(Reply):
    node: str
    zone: str
    url: str
    reachable: bool
    match: int
    clock_offset_ms: int | None
    free_bytes: int | None
    tzdata: str | None
    format_min: int | None
    format_max: int | None


class Cluster(Reply):
    cluster: str
    node: str
    zone: str
    url: str
    address: str = Field(examples=["10.0.1.4:8322"])
    state: str = Field(examples=["leader"])
    leader: str | None
    state_hash: str
    ledger_head: str
    term: int
    epoch: int
    index: int
    quorum: bool
    format: int
    format_target: int = Field(description="The activated format; above `format` while a migration runs.")
    format_min: int
    format_max: int
    version: str
    certificates: dict[str, str] = Field(
        description="Until when the certificates in use are valid: raft (between nodes), https.",
        examples=[{"raft": "2027-11-21T05:00:00Z", "https": "2027-11-21T05:00:00Z"}],
    )
    peers: list[Peer]


class JobList(Reply):
    items: list[Job]
    next_cursor: str | None


class RunList(Reply):
    items: list[Run]
    next_cursor: str | None


class TickList(Reply):
    items: list[Tick]
    next_cursor: str | None


class AgentList(Reply):
    items: list[Agent]
    next_cursor: str | None
