"""The shapes of replies (docs/reference/api.md). Instants are RFC 3339 in UTC with `Z`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas.approvals import Approval
from api.schemas.completions import Completion
from api.schemas.expectations import ExpectedOfRun
from api.schemas.proving import LedgerDifference, Proved
from api.schemas.reply import Instant as Instant
from api.schemas.reply import Reply as Reply


class FieldError(Reply):
    pointer: str = Field(examples=["/triggers/0/cron"])
    detail: str
    hint: str | None = None
    line: int | None = Field(None, description="of a body in YAML, from 1")
    column: int | None = None


class Problem(Reply):
    type: str = Field(examples=["/problems/validation"])
    title: str
    status: int = Field(examples=[422])
    detail: str
    hint: str | None = None
    errors: list[FieldError] = Field([])


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
    warned: bool


class Pause(Reply):
    namespace: str | None = Field(description="null: everything")
    since: Instant
    until: Instant | None = Field(description="when it ends by itself")
    reason: str = Field(examples=["the database is moved"])
    actor: str | None


class LeftBehind(Reply):
    template: str = Field(examples=["default/reports"])
    why: str
    since: Instant


class Job(Reply):
    """The definition in the public job schema, and what the server knows."""

    job: str = Field(examples=["nightly-report"])
    name: str = Field(examples=["nightly-report"])
    namespace: str = Field(examples=["default"])
    revision: int = Field(examples=[3])
    state: str = Field(description="active, paused, disabled or unplaceable", examples=["active"])
    unplaceable_reason: str | None = Field(examples=["no agent is connected with pool gpu"])
    pause_reason: str | None
    paused_by: list[Pause] = Field(description="Pauses of everything, and of its namespace, that stand.")
    left_behind: LeftBehind | None = Field(description="it could not follow its template, and stays as it is")
    created: Instant
    changed: Instant
    actor: str
    source: str | None
    active_runs: int
    failures: int
    next_tick: Instant | None = Field(examples=["2026-01-02T01:00:00Z"])
    last_tick: LastTick | None
    last_run: RunSummary | None
    criticality: str = Field(description="minor, normal, major or critical", examples=["normal"])
    labels: dict[str, str] = Field({})
    triggers: list[dict[str, Any]] = Field([])
    tasks: dict[str, dict[str, Any]] = Field({})


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
    completion: Completion | None = Field(
        description="of an async task, once anything is known of that; else null"
    )


class ListedAttempt(Attempt):
    """With what it is of."""

    run: int = Field(examples=[17])
    job: str = Field(examples=["nightly-report"])
    namespace: str = Field(examples=["default"])
    task: str = Field(examples=["main"])


class Hold(Reply):
    """Who keeps a run or a task back."""

    since: Instant
    by: str | None = Field(examples=["ann"])
    reason: str | None = Field(examples=["the database is moved"])
    failed: str | None = Field(default=None, description="of a task that failed: how it ends when released")


class Override(Reply):
    """A person's verdict over a run that had ended."""

    as_: str = Field(alias="as", description="succeeded or failed: as what it counts", examples=["succeeded"])
    at: Instant
    by: str | None = Field(examples=["ann"])
    reason: str = Field(examples=["loaded by hand"])


class Rerun(Reply):
    """What a run repeats of another."""

    of: int = Field(description="the run that it repeats", examples=[42])
    from_failed: bool
    from_: str | None = Field(alias="from", examples=["load"])
    until: str | None = Field(examples=["report"])
    after: bool = Field(description="jobs that wait for its end hear of it")


class Parent(Reply):
    run: int = Field(examples=[16])
    task: str = Field(examples=["check"])
    member: str | None


class TaskMembers(Reply):
    """How a task that is divided stands with its members."""

    all: int = Field(description="members", examples=[10])
    going: int = Field(description="had their turn, and have not ended", examples=[2])
    succeeded: int = Field(examples=[7])
    failed: int = Field(description="ended in another way than well", examples=[1])
    skipped: int = Field(examples=[0])


class TaskMember(Reply):
    """A part of a task that is divided."""

    member: str = Field(description="the place of its item; 0 is the first", examples=["3"])
    item: str = Field(description="what it is given", examples=["eu-west"])
    state: str = Field(examples=["succeeded"])
    queued: Instant | None = Field(description="when it had its turn")
    started: Instant | None
    finished: Instant | None
    exit_code: int | None = Field(examples=[0])
    warned: bool = Field(description="it ended well, with a warning")
    reason: str | None
    hold: Hold | None = Field(description="while it is held")
    retry_at: Instant | None
    outputs: dict[str, bool | int | float | str] | None = Field(examples=[{"rows": "42"}])
    taken_from: int | None = Field(description="the run in which it ended so, of one that was taken over")
    attempt: Attempt | None = Field(description="the newest")


class Task(Reply):
    """Of a run, in its newest round. What consists of others is told as a task is, without attempts: a group,
    and the whole of a task that is divided, whose members have a list of their own."""

    state: str = Field(examples=["succeeded"])
    group: str | None = Field(description="that it is inside of", examples=["load"])
    round: int = Field(description="how often its group had been begun anew", examples=[0])
    members: TaskMembers | None = Field(description="of a task that is divided, once it has begun")
    run: int | None = Field(description="of another job, that it began; null in lists", examples=[18])
    approval: Approval | None = Field(description="once it asks a person; null in lists")
    hold: Hold | None = Field(description="while it is held")
    warned: bool = Field(description="it ended well, with a warning")
    outputs: dict[str, bool | int | float | str] | None = Field(
        description="what its command wrote for the tasks after it; null in lists", examples=[{"rows": "42"}]
    )
    taken_from: int | None = Field(description="the run in which it ended so, of one that was taken over")
    attempts: list[Attempt]


class RunOutline(Reply):
    """A run by itself."""

    id: int = Field(examples=[17])
    job: str = Field(examples=["nightly-report"])
    namespace: str = Field(examples=["default"])
    revision: int = Field(examples=[3])
    tick: Instant | None
    plan_date: str = Field(description="of its namespace", examples=["2026-12-31"])
    due: Instant
    trigger: str | None = Field(examples=["nightly"])
    cause: str = Field(examples=["tick"])
    cause_key: str | None = Field(examples=["12@1767232800000"])
    parent: Parent | None = Field(description="the task of another run that began it")
    state: str = Field(examples=["succeeded"])
    waiting: bool
    hold: Hold | None = Field(description="while it is held or suspended")
    override: Override | None = Field(description="of a person, over how it ended")
    rerun: Rerun | None = Field(description="of a run that repeats another")
    stopping: str | None
    reason: str | None
    created: Instant
    started: Instant | None
    finished: Instant | None
    deadline: Instant | None
    exit_code: int | None = Field(examples=[0])
    warned: bool = Field(description="a task of it ended well, with a warning")
    priority: int


class Rest(Reply):
    state: str = Field(examples=["failed"])
    exit_code: int | None = Field(examples=[3])
    reason: str | None
    ended: Instant


class Run(RunOutline):
    """With its parameters, tasks and attempts."""

    params: dict[str, Any] = Field(examples=[{"region": "eu"}])
    actor: str | None
    rest: Rest | None = Field(
        description="how all but what it does finally has ended, while that goes on; null in lists"
    )
    reruns: list[int] = Field(description="the newest runs that repeat it; empty in lists", examples=[[57]])
    expected: ExpectedOfRun | None = Field(
        description="what is still expected of it, and what did not hold; null: nothing, and in lists"
    )
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
    calendar_unknown: bool | None = Field(
        default=None, description="true: a calendar of its trigger knows nothing of that day yet"
    )
    schedule: str | None = Field(
        default=None, description="that gave the trigger", examples=["default/month-end"]
    )
    substitute: str | None = Field(default=None, description="that took the schedule's place then")


class LedgerEntry(Reply):
    """What became of a tick, or of `ticks` of them from `first` to `last` that ended alike."""

    seq: int
    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly-report"])
    trigger: str | None = Field(examples=["nightly"])
    first: Instant
    last: Instant
    ticks: int
    outcome: str = Field(examples=["ran"])
    reason: str | None
    run: int | None
    into: Instant | None
    cause: str = Field(examples=["tick"])
    cause_key: str = Field(examples=["12@1767232800000"])
    decided_at: Instant
    epoch: int
    index: int
    tzdata: str
    hash: str


class Agent(Reply):
    id: int
    name: str
    zone: str
    pool: str
    labels: dict[str, str]
    kinds: list[str] = Field(description="Of work, that its executors run.", examples=[["python"]])
    features: dict[str, list[str]] = Field(
        description="What of each kind its executor knows; a task that asks for more is not given to it.",
        examples=[{"python": ["cwd", "secrets"]}],
    )
    slots: int
    busy: int
    state: str = Field(examples=["connected"])
    connected: bool
    draining: bool
    drain_reason: str | None
    drain_until: Instant | None = Field(description="when it takes work again by itself")
    node: str | None
    version: str
    cloud_id: str | None


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


class Paused(Reply):
    """Whether everything, or a namespace, is paused as a whole."""

    namespace: str | None
    paused: bool
    pause: Pause | None


class Overload(Reply):
    """More is due than can be started: what is too old by its own period ends without a run."""

    since: str
    late_seconds: float = Field(description="How late the tick was that was due longest, when it began.")
    due: int = Field(description="How many triggers were due then.")


class SecretKeys(Reply):
    """The keys that secrets are encrypted with, by their ids, which tell nothing of them."""

    keys: list[str] = Field(description="that this node has; the first is the one that it encrypts with")
    current: str | None = Field(description="that the cluster encrypts with; null: there was no secret yet")
    in_use: list[str] = Field(description="that any secret is encrypted with: a key that is not here may go")


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
    pause: Pause | None = Field(description="of everything; null: there is none")
    secrets: SecretKeys
    overload: Overload | None = Field(description="null: all that is due can be started")
    difference: LedgerDifference | None = Field(default=None, description="null: the ledger is as it was due")
    proved: Proved | None = Field(default=None, description="of the leader; null: it has not looked yet")
    format: int
    format_target: int = Field(description="The activated format; above `format` while a migration runs.")
    format_min: int
    format_max: int
    version: str
    tzdata: str = Field(description="The zone data in force, in the whole cluster.", examples=["2026a"])
    tzdata_installed: str | None = Field(description="That this node has installed.", examples=["2026f"])
    certificates: dict[str, str] = Field(
        description="Until when the certificates in use are valid: raft (between nodes), https.",
        examples=[{"raft": "2027-11-21T05:00:00Z", "https": "2027-11-21T05:00:00Z"}],
    )
    peers: list[Peer]


class Secret(Reply):
    """A secret, without its value."""

    namespace: str
    name: str = Field(examples=["DB_PASSWORD"])
    version: int = Field(description="grows with each new value", examples=[3])
    grants: list[str] = Field(description="patterns of the jobs that may use it", examples=[["nightly-*"]])
    key: str = Field(description="id of the key that it is encrypted with")
    created: Instant
    changed: Instant
    actor: str = Field(description="who changed it last")


class JobList(Reply):
    items: list[Job]
    next_cursor: str | None


class RunList(Reply):
    items: list[Run | RunOutline]
    next_cursor: str | None


class TickList(Reply):
    items: list[Tick]
    next_cursor: str | None


class SecretList(Reply):
    items: list[Secret]
    next_cursor: str | None


class AgentList(Reply):
    items: list[Agent]
    next_cursor: str | None


class AtWork(Reply):
    """An attempt that holds a slot of an agent."""

    attempt: int
    number: int
    state: str = Field(examples=["running"])
    unreachable: bool
    due: Instant
    granted: Instant | None
    started: Instant | None
    task: str
    member: str | None
    round: int
    run: int
    namespace: str
    job: str = Field(examples=["nightly-report"])


class WorkList(Reply):
    items: list[AtWork]
    next_cursor: str | None


class TaskMemberList(Reply):
    items: list[TaskMember]
    next_cursor: str | None


class AttemptList(Reply):
    items: list[ListedAttempt]
    next_cursor: str | None


class LedgerEntryList(Reply):
    items: list[LedgerEntry]
    next_cursor: str | None
