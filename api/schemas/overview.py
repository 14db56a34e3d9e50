"""The shapes of what a person looks at first, and of a job's past (docs/reference/api.md)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas.proving import LedgerDifference
from api.schemas.replies import Instant, Overload, Pause, Reply


class Late(Reply):
    """A trigger whose next tick should have been decided."""

    job: str | None = Field(description="null: it is deleted", examples=["nightly-report"])
    namespace: str | None = Field(examples=["default"])
    trigger: str | None = Field(examples=["nightly"])
    at: Instant
    due: Instant
    late_seconds: float = Field(examples=[12.5])
    why: str = Field(examples=["it is not decided yet"])
    command: str | None = Field(examples=["cronclave job explain nightly-report"])


class FailingJob(Reply):
    job: str = Field(examples=["nightly-report"])
    namespace: str = Field(examples=["default"])
    failures: int = Field(description="in a row", examples=[3])
    run: int = Field(description="the last one", examples=[17])
    state: str = Field(examples=["active"])
    why: str = Field(examples=["its last 3 runs failed, the last one failed"])
    command: str = Field(examples=["cronclave run logs 17"])


class Waiting(Reply):
    """A queue of tasks for the same agents, or the runs of a job that wait behind each other."""

    kind: str = Field(description="agent or overlap", examples=["agent"])
    wanted: str | None = Field(alias="for", description="which agents", examples=["pool gpu"])
    count: int = Field(description="tasks or runs, counted to 1,000", examples=[4])
    run: int = Field(description="the first of them", examples=[17])
    job: str
    namespace: str
    since: Instant | None
    behind: int | None = Field(description="the run in the way")
    why: str = Field(examples=["no agent is connected for pool gpu"])
    command: str = Field(examples=["cronclave run explain 17"])


class OutOfReach(Reply):
    """An attempt that was granted, of which its agent tells nothing."""

    attempt: int
    run: int
    job: str
    namespace: str
    task: str
    agent: str
    zone: str
    started: Instant | None
    since: Instant | None = Field(description="when its agent was disconnected")
    why: str
    command: str


class UnmetOne(Reply):
    """Something that is expected, does not hold, and nobody has acknowledged."""

    id: int = Field(examples=[17])
    job: str = Field(examples=["nightly-report"])
    namespace: str
    run: int | None
    what: str = Field(examples=["late_end"])
    since: Instant
    why: str
    command: str


class UnmetOnes(Reply):
    count: int
    more: bool
    items: list[UnmetOne]


class LateOnes(Reply):
    count: int = Field(description="counted to 1,000")
    more: bool = Field(description="there may be more than were counted")
    items: list[Late]


class FailingOnes(Reply):
    count: int
    more: bool
    items: list[FailingJob]


class WaitingOnes(Reply):
    count: int
    more: bool
    items: list[Waiting]


class OnesOutOfReach(Reply):
    count: int
    more: bool
    items: list[OutOfReach]


class ActiveRuns(Reply):
    pending: int = Field(description="counted to 1,000, as the others")
    running: int
    held: int
    suspended: int


class Zone(Reply):
    zone: str = Field(examples=["zone-a"])
    agents: int
    connected: int
    draining: int
    slots: int = Field(description="of agents that are connected and do not drain")
    busy: int


class OutboxDepth(Reply):
    waiting: int
    given_up: int
    oldest: Instant | None


class Leadership(Reply):
    epoch: int
    node: str = Field(examples=["node-1"])
    zone: str = Field(examples=["zone-a"])
    term: int
    began: Instant
    ended: Instant | None = Field(description="when the next one began; null: it leads")
    last_decision_before: Instant | None = Field(description="in between nothing was decided")
    vacant_since: Instant | None = Field(
        description="the last sign of the leader before it: in between nobody could decide"
    )


class Overview(Reply):
    at: Instant
    late: LateOnes
    failing: FailingOnes
    waiting: WaitingOnes
    unreachable: OnesOutOfReach
    unmet: UnmetOnes
    runs: ActiveRuns
    zones: list[Zone]
    pauses: list[Pause]
    overload: Overload | None
    difference: LedgerDifference | None = Field(default=None, description="null: the ledger is as it was due")
    outbox: OutboxDepth
    leaderships: list[Leadership] = Field(description="the newest first, 50 at most")


class Table(Reply):
    """Rows are arrays in the order of the columns; instants are UTC milliseconds."""

    columns: list[str] = Field(examples=[["id", "state", "due"]])
    rows: list[list[Any]] = Field(examples=[[[17, "succeeded", 1767232800000]]])
    next_cursor: str | None


class Changed(Reply):
    """What became of one job."""

    job: str = Field(examples=["nightly-report"])
    namespace: str = Field(examples=["default"])
    done: bool
    run: int | None = Field(None, description="of `run`")
    detail: str | None = Field(None, description="why not")
    hint: str | None = None


class Bulk(Reply):
    action: str = Field(examples=["pause"])
    dry_run: bool
    items: list[Changed]
    more: bool = Field(description="the filter fits more jobs: send it again")
