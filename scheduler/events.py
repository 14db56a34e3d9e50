"""Every fact that applying a command reports, past tense.

Events leave `scheduler.machine.apply` in a fixed order and are the same on every node; the fronts
push assignments, stream SSE and keep counters from them. They are reports, not state: whoever
misses one reads the store. Instants are UTC milliseconds, ids the state's integer keys.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Led:
    epoch: int
    node: str
    zone: str


@dataclass(frozen=True, slots=True)
class JobPut:
    job: int
    namespace: str
    name: str
    revision: int
    created: bool


@dataclass(frozen=True, slots=True)
class JobDeleted:
    job: int
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class JobPaused:
    job: int
    namespace: str
    name: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class JobResumed:
    job: int
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class TickDecided:
    """A ledger entry was written (a range where `count` > 1)."""

    seq: int
    job: int
    namespace: str
    name: str
    trigger: int
    first_ms: int
    last_ms: int
    count: int
    outcome: str
    reason: str
    run: int


@dataclass(frozen=True, slots=True)
class RunCreated:
    run: int
    job: int
    namespace: str
    name: str
    cause: str
    tick_ms: int | None
    due_ms: int


@dataclass(frozen=True, slots=True)
class TaskQueued:
    """A task waits for a place."""

    task: int
    run: int
    name: str


@dataclass(frozen=True, slots=True)
class AttemptAssigned:
    attempt: int
    task: int
    run: int
    agent: int
    due_ms: int


@dataclass(frozen=True, slots=True)
class AttemptGranted:
    attempt: int
    run: int
    agent: int
    fence: int


@dataclass(frozen=True, slots=True)
class AttemptRunning:
    attempt: int
    run: int
    agent: int
    started_ms: int


@dataclass(frozen=True, slots=True)
class AttemptCancelling:
    """The agent shall stop it."""

    attempt: int
    run: int
    agent: int


@dataclass(frozen=True, slots=True)
class AttemptUnreachable:
    attempt: int
    run: int
    agent: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """state: succeeded | failed | timed_out | cancelled | lost | revoked."""

    attempt: int
    task: int
    run: int
    agent: int
    state: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class RunStarted:
    run: int
    job: int
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    run: int
    job: int
    namespace: str
    name: str
    state: str
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class AgentConnected:
    agent: int
    name: str
    zone: str
    pool: str
    node: str
    session: str


@dataclass(frozen=True, slots=True)
class AgentDisconnected:
    agent: int
    name: str
    zone: str
    node: str
    session: str


@dataclass(frozen=True, slots=True)
class AgentReleased:
    """A person took the name from this installation, for good."""

    agent: int
    name: str
    installation: str
    actor: str


@dataclass(frozen=True, slots=True)
class NodeLost:
    node: str


@dataclass(frozen=True, slots=True)
class FormatActivated:
    """The cluster is on its way to this format: nodes that do not support it are refused from now on."""

    format: int
    actor: str


@dataclass(frozen=True, slots=True)
class FormatRaised:
    """The state follows the rules of this format from here on."""

    format: int


@dataclass(frozen=True, slots=True)
class TokenWithdrawn:
    """Nobody is anybody by this token any more."""

    name: str


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A browser's session was ended by whoever had it."""

    token: str  #: name of the one that had opened it


Event = (
    Led
    | JobPut
    | JobDeleted
    | JobPaused
    | JobResumed
    | TickDecided
    | RunCreated
    | TaskQueued
    | AttemptAssigned
    | AttemptGranted
    | AttemptRunning
    | AttemptCancelling
    | AttemptUnreachable
    | AttemptEnded
    | RunStarted
    | RunEnded
    | AgentConnected
    | AgentDisconnected
    | NodeLost
    | FormatActivated
    | FormatRaised
    | TokenWithdrawn
    | SessionClosed
    | AgentReleased
)
