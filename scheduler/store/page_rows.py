"""The rows that `pages` gives out beside those of the tables themselves (jobs, agents, revisions): what the
API shows of each noun, in the order of its columns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunRow:
    id: int
    job: int
    namespace: str
    name: str
    revision: int
    trigger: int
    tick_ms: int | None
    due_ms: int
    cause: str
    cause_key: str
    state: str
    waiting: int  #: 1: behind the job's other runs, by its overlap policy
    stopping: str
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    deadline_ms: int | None
    exit_code: int | None
    priority: int
    params: str
    reason: str
    actor: str
    first_task: int
    last_task: int

    @property
    def tasks(self) -> int:
        """How many tasks its graph has."""
        return self.last_task - self.first_task + 1


@dataclass(frozen=True, slots=True)
class TaskRow:
    id: int
    run: int
    name: str
    member: str
    round: int
    state: str
    wake_ms: int | None
    started_ms: int | None
    finished_ms: int | None
    exit_code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class AttemptRow:
    id: int
    task: int
    run: int
    number: int
    agent: int
    agent_name: str
    zone: str
    state: str
    unreachable: int
    due_ms: int
    fence: int | None
    granted_ms: int | None
    started_ms: int | None
    finished_ms: int | None
    exit_code: int | None
    signal: int | None
    reason: str
    output_bytes: int | None
    late: str


@dataclass(frozen=True, slots=True)
class OutputRow:
    """What is known of an attempt's output."""

    id: int
    number: int
    agent: int
    agent_name: str
    node: str  #: that the agent hangs on; empty: none
    state: str
    tail: bytes  #: its last bytes, of an ended attempt
    output_bytes: int | None  #: where it ends; None: nobody knows


@dataclass(frozen=True, slots=True)
class TriggerRow:
    id: int
    job: int
    key: str
    spec: bytes
    jitter_ms: int
    from_ms: int
    until_ms: int | None
    next_due_ms: int | None
    event: str


@dataclass(frozen=True, slots=True)
class LedgerRow:
    seq: int
    trigger: int
    kind: str
    key: str
    first_ms: int
    last_ms: int
    count: int
    outcome: str
    reason: str
    run: int
    into_ms: int | None
    decided_ms: int
    epoch: int
    idx: int
    tzdata: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class DispatchRow:
    """What a front needs to push one attempt to its agent."""

    attempt: int
    agent: int
    state: str
    number: int
    due_ms: int
    task: str
    member: str
    round: int
    run: int
    job: int
    revision: int
    namespace: str
    name: str
    tick_ms: int | None
    params: str
