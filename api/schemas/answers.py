"""The shapes of answers of one operation each (docs/reference/api.md): what is no job, run, tick or agent."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas.cautions import Warned
from api.schemas.dry_runs import DryRun, Follows
from api.schemas.plan import Changed, Dropped
from api.schemas.replies import Instant, Pause, Reply


class ComingTick(Reply):
    at: Instant
    due: Instant = Field(description="`at` with the trigger's jitter")
    trigger: str = Field(examples=["nightly"])
    schedule: str | None = Field(
        default=None, description="that gave the trigger", examples=["default/month-end"]
    )
    substitute: str | None = Field(default=None, description="that takes the schedule's place then")
    changed: Changed | None = Field(default=None, description="what a person has said of this one")
    params: dict[str, Any] | None = Field(
        default=None, description="of its run, where dates are among them: counted",
        examples=[{"day": "2026-12-30"}],
    )
    undated: str | None = Field(default=None, description="why one of those dates cannot be counted")


class ComingTicks(Reply):
    items: list[ComingTick]
    next_cursor: str | None
    paused: bool = Field(description="The job is: they would be skipped.")
    pauses: list[Pause] = Field(description="Of everything, and of its namespace, that stand.")


class Node(Reply):
    """A task, or a group, in the graph of a job."""

    task: str = Field(examples=["extract"])
    kind: str = Field(examples=["run"])
    needs: list[str] = Field(examples=[["fetch"]])
    rule: str = Field(examples=["all_success"])
    group: str | None = Field(description="that it is inside of", examples=["load"])
    part: str | None = Field(description="finally or catch: one that is for the end", examples=["finally"])


class JobDryRun(DryRun):
    """What a put would do, and what the job would."""

    name: str = Field(examples=["nightly-report"])
    namespace: str = Field(examples=["default"])
    change: str = Field(description="created, changed or unchanged", examples=["created"])
    revision: int | None = Field(description="of the job as it is")
    warnings: list[Warned]
    next_ticks: list[ComingTick] = Field(description="the first ten")
    graph: list[Node]
    dropped: list[Dropped] | None = Field(default=None, description="said of single ticks, and dropped")


class Revision(Reply):
    revision: int = Field(examples=[3])
    changed: Instant
    index: int
    actor: str
    deleted: bool
    definition: dict[str, Any] | None = Field(examples=[{"job": "nightly-report"}])


class RevisionList(Reply):
    items: list[Revision]
    next_cursor: str | None


class Written(Reply):
    kind: str = Field(examples=["job"])
    namespace: str = Field(examples=["default"])
    name: str = Field(examples=["nightly-report"])
    revision: int | None = Field(description="null: it would be created")


class Moved(Reply):
    """Ticks of a trigger that would be others by another calendar or schedule, of the next 400 days."""

    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly-report"])
    trigger: str = Field(examples=["nightly"])
    gone: list[Instant] = Field(description="the first of them")
    gone_count: int
    come: list[Instant] = Field(description="the first of them")
    come_count: int
    dropped: list[Instant] = Field(description="of those that go, of which a person has said something")


class Applied(Reply):
    dry_run: bool
    created: list[Written]
    changed: list[Written]
    unchanged: list[Written]
    deleted: list[Written] = Field(description="What `prune` deletes.")
    warnings: list[Warned] = Field(description="What jobs mean and perhaps should not.")
    moves: list[Moved] | None = Field(
        default=None,
        description="Of a dry run: ticks that its calendars and schedules move, of jobs that it leaves.",
    )
    moves_cut: bool | None = Field(default=None, description="There are more triggers than were looked at.")
    follow: list[Follows] | None = Field(
        default=None, description="Of a dry run: jobs that extend its templates, and would change."
    )
    dropped: list[Dropped] | None = Field(default=None, description="Said of single ticks, and dropped.")


class Object(Reply):
    """The definition, by the JSON Schema of its kind, and what the server knows."""

    name: str = Field(examples=["warehouse"])
    namespace: str = Field(examples=["default"])
    revision: int = Field(examples=[3])
    created: Instant
    changed: Instant
    actor: str
    source: str | None
    labels: dict[str, str] = Field({})
    description: str = ""
    owner: str = ""
    computed: dict[str, Any] = Field({}, description="What was computed of it when it was put.")


class ObjectList(Reply):
    items: list[Object]
    next_cursor: str | None


class ObjectDryRun(DryRun):
    """What a put would do."""

    name: str = Field(examples=["warehouse"])
    namespace: str = Field(examples=["default"])
    change: str = Field(description="created, changed or unchanged", examples=["created"])
    revision: int | None = Field(description="of the object as it is")
    moves: list[Moved] | None = Field(
        default=None, description="of a calendar or schedule: which ticks it would move"
    )
    moves_cut: bool | None = Field(default=None, description="there are more triggers than were looked at")
    follow: list[Follows] | None = Field(
        default=None, description="of a template: jobs that extend it, and would change"
    )


class Difference(Reply):
    """Of two revisions."""

    old: int = Field(alias="from", examples=[1])
    to: int = Field(examples=[2])
    diff: str = Field(description="Unified, of their YAML.", examples=["-  port: 5432\n+  port: 5433"])


class CalendarDay(Reply):
    day: str = Field(examples=["2026-12-25"])
    working: bool
    why: str = Field(description="weekend, off, extra_working; empty: a day like others", examples=["off"])
    known: bool = Field(description="false: before `known_from`, or after `known_until`")


class ScheduleTick(Reply):
    at: Instant
    trigger: str = Field(examples=["month-end:close"])
    substitute: str | None = Field(default=None, description="that takes the schedule's place then")


class ScheduleTicks(Reply):
    items: list[ScheduleTick]
    next_cursor: str | None


class CalendarDays(Reply):
    items: list[CalendarDay]
    next_cursor: str | None


class Referrer(Reply):
    kind: str = Field(examples=["job"])
    namespace: str = Field(examples=["default"])
    name: str = Field(examples=["nightly-report"])


class ReferrerList(Reply):
    items: list[Referrer]
    next_cursor: str | None


class Firing(Reply):
    job: str = Field(examples=["deploy"])
    trigger: str = Field(description="its id, or the hash of its schedule", examples=["on-push"])
    run: int | None = Field(description="that was made, or that was in the way", examples=[17])
    outcome: str | None = Field(description="null: it made the run", examples=["skipped"])
    reason: str | None = Field(examples=["paused"])


class Delivered(Reply):
    hook: str = Field(examples=["deploys"])
    namespace: str = Field(examples=["default"])
    delivery: str = Field(description="its id; one of ours, where its sender gives none")
    repeated: bool = Field(description="it had been taken before, and this came of it then")
    firings: list[Firing]


class DeliveryDryRun(Reply):
    dry_run: bool
    hook: str
    namespace: str
    delivery: str
    repeated: bool
    jobs: list[str] = Field(description="that it would fire")


class Delivery(Reply):
    delivery: str
    at: str
    firings: list[Firing]


class DeliveryList(Reply):
    items: list[Delivery]
    next_cursor: str | None


class Notice(Reply):
    serial: int = Field(examples=[17])
    key: str = Field(examples=["2026-12-31"])
    posted: str
    expires: str
    expired: bool
    poster: str = Field(description="the token that posted it", examples=["ann"])
    plan_date: str = Field(examples=["2026-12-31"])


class NoticeGone(Notice):
    dry_run: bool


class NoticeDryRun(Reply):
    dry_run: bool
    board: str
    namespace: str
    key: str


class NoticeList(Reply):
    items: list[Notice]
    next_cursor: str | None


class SliceDiff(Reply):
    created: list[Written]
    changed: list[Written]
    unchanged: list[Written]
    deleted: list[Written]


class StageProblem(Reply):
    """What stands in the way of one item of a staged apply."""

    kind: str = Field(description="empty: of the whole", examples=["job"])
    namespace: str
    name: str
    code: str = Field(examples=["revision_mismatch"])
    detail: str


class StageCounts(Reply):
    """How many of one kind."""

    created: int
    changed: int
    unchanged: int
    deleted: int


class StageName(Reply):
    kind: str = Field(examples=["job"])
    namespace: str
    name: str


class StageNames(Reply):
    """What changes by a staged apply."""

    created: list[StageName]
    changed: list[StageName]
    deleted: list[StageName]


class Stage(Reply):
    """A staged apply."""

    stage: str = Field(examples=["release-2026-12"])
    state: str = Field(description="open, checking, switching, done, judged, refused, dropped or expired")
    reason: str
    actor: str
    source: str
    slices: int
    items: int
    bytes: int
    gone_through: int = Field(description="items that this state has gone through")
    dry_run: bool = Field(description="it is checked alone: nothing changes")
    created: int
    changed: int
    unchanged: int
    deleted: int
    kinds: dict[str, StageCounts] = Field(description="the same by kind")
    names: StageNames = Field(description="the first 100 of each")
    owned: int = Field(description="with prune: what the source owns")
    pruned: int = Field(description="with prune: what of that is deleted")
    opened_at: Instant
    until: Instant = Field(description="open: it expires; ended: it is forgotten")
    live_at: Instant | None = Field(description="from when on all of it counts; null: it does not")
    problems: list[StageProblem]
    diff: SliceDiff | None = Field(None, description="of a slice: what it would change, as things are now")


class Fault(Reply):
    """What is wrong with the ledger."""

    kind: str
    job: int = Field(description="its number")
    namespace: str | None = Field(description="of the job; null: it is no job's")
    name: str | None = Field(description="of the job", examples=["nightly-report"])
    trigger: int = Field(description="the number of its era")
    trigger_id: str | None = Field(description="as the job says it", examples=["nightly"])
    at: Instant | None
    seq: int | None
    detail: str


class Verification(Reply):
    ok: bool = Field(examples=[True])
    start: Instant = Field(alias="from")
    to: Instant
    index: int
    ledger_head: str
    due: int
    outcomes: dict[str, int] = Field(examples=[{"ran": 24, "missed": 1}])
    undecided: int
    overdue: int
    entries: int
    events: int
    problem_count: int
    problems: list[Fault]


class Released(Reply):
    name: str = Field(examples=["web-7"])
    installation: str


class Member(Reply):
    node: str = Field(examples=["node-4"])
    name: str = Field(examples=["node-4"])
    address: str = Field(examples=["10.0.1.7:8322"])
    zone: str = Field(examples=["zone-a"])
    url: str = Field(examples=["https://10.0.1.7:8321"])


class Transferred(Reply):
    leader: str | None = Field(examples=["node-2"])


class FormatChange(Reply):
    format: int
    changes: str


class MemberFormats(Reply):
    node: str = Field(examples=["node-1"])
    reachable: bool
    format_min: int | None
    format_max: int | None


class FormatActivated(Reply):
    before: int
    target: int
    format: int
    changed: bool
    changes: list[FormatChange]
    members: list[MemberFormats]


class MovedByZone(Moved):
    zone: str = Field(examples=["America/Vancouver"])


class Retimed(Reply):
    before: str = Field(description="the version that was in force", examples=["2026a"])
    tzdata: str = Field(description="the version that this node has installed", examples=["2026f"])
    zones: list[str] = Field(description="that show other clocks", examples=[["America/Vancouver"]])
    changed: bool
    live: bool = Field(description="whether all triggers are due by it")
    dry_run: bool | None = None
    plans: list[str] | None = Field(
        default=None, description="of a dry run: namespaces whose plan dates are others, the first of them"
    )
    moves: list[MovedByZone] | None = Field(default=None, description="of a dry run: ticks that move")
    moves_cut: bool | None = Field(default=None, description="there are more triggers than were looked at")


class TickLimits(Reply):
    """Ticks a second that may be asked for."""

    job: int = Field(examples=[100])
    namespace: int = Field(examples=[1_000])
    cluster: int = Field(examples=[10_000])


class AskedTicks(TickLimits):
    asked: float = Field(description="by all jobs, now")


class SecretDryRun(DryRun):
    namespace: str
    name: str
    version: int = Field(description="that the value would be")


class KeyRotated(Reply):
    key: str = Field(description="id of the key that the cluster encrypts with from now on")
    resealed: int = Field(description="secrets that were encrypted anew")
    left: bool = Field(description="there are more: send it again")


class Roles(Reply):
    """What a token is, and where."""

    role: str = Field(
        description="the one role that it has; several: another one elsewhere", examples=["operator"]
    )
    namespaces: list[str] | None = Field(description="where; null: in all", examples=[["finance"]])
    roles: dict[str, str] = Field(
        description="by namespace, that in all under `*`", examples=[{"finance": "operator"}]
    )


class TokenMade(Roles):
    name: str = Field(examples=["ann"])
    token: str = Field(description="its secret, which is told this once")


class Token(Roles):
    name: str = Field(examples=["ann"])
    created: Instant
    expires: Instant | None
    uses: int | None
    holder: str | None
    pool: str | None


class TokenList(Reply):
    items: list[Token]
    next_cursor: str | None


class Joined(Reply):
    cluster: str
    ca: str | None = Field(description="its certificates, PEM")
    members: list[dict[str, Any]]


class Session(Roles):
    name: str = Field(examples=["ann"])
    may: list[str] = Field(
        description="what the roles grant somewhere at least", examples=[["operate", "read", "run"]]
    )
    may_in: dict[str, list[str]] = Field(
        description="what they grant by namespace, in all under `*`", examples=[{"finance": ["read", "run"]}]
    )
    csrf: str | None = Field(description="for X-CSRF-Token of writes; null without a session")


class Health(Reply):
    status: str = Field(examples=["ok"])
    node: str = Field(examples=["node-1"])
    version: str


class Readiness(Reply):
    ready: bool = Field(examples=[True])
    state: str = Field(examples=["leader"])
    leader: str | None = Field(examples=["node-1"])
    quorum: bool = Field(examples=[True])
    reason: str | None = Field(None, description="why not")

