"""The shapes of explanations: what is waited for, and what became of an instant (docs/reference/api.md)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas.replies import Instant, Reply


class Finding(Reply):
    """What one gate says."""

    gate: str = Field(examples=["overlap"])
    state: str = Field(description="ready, waits or never", examples=["waits"])
    reason: str | None = Field(examples=["it waits behind run 16 of the job"])
    since: Instant | None
    opens: str | None = Field(description="what would open it", examples=["the end of run 16"])
    opens_at: Instant | None = Field(description="when it opens by itself")
    run: int | None = Field(description="the run in the way", examples=[16])
    outcome: str | None = Field(description="of what never goes on", examples=["skipped(paused)"])


class ChainLink(Reply):
    """One cause after the other, from the definition to the outcome."""

    gate: str = Field(
        description="definition, enabled, schedule, cause, outcome, or one of the gates", examples=["overlap"]
    )
    passed: bool
    because: str = Field(examples=["run 16 of the job was in the way"])
    at: Instant | None = Field(description="since when, or when")
    refs: dict[str, str | int] = Field(
        description="where to look: revision, trigger, calendars, tzdata, epoch, run, agent, fence, audit…",
        examples=[{"run": 16}],
    )


Help = Annotated[
    str | None, Field(description="the command that helps", examples=["cronclave run explain 16"])
]


class TaskExplained(Reply):
    task: str = Field(examples=["extract"])
    member: str | None = Field(description="of a task that is divided; null: the whole")
    state: str = Field(examples=["queued"])
    verdict: str = Field(examples=["waits"])
    gates: list[Finding]
    help: Help = None


class ConditionPart(Reply):
    depth: int = Field(description="how deep it lies; the whole is 0")
    text: str = Field(examples=["extract.succeeded"])
    value: bool | int | float | str | None = Field(description="null: unknown", examples=[True])


class HeardEnd(Reply):
    job: str = Field(description="namespace/name", examples=["default/extract"])
    run: int = Field(examples=[16])
    state: str = Field(examples=["succeeded"])
    ended: Instant
    ends: int = Field(description="it is the newest of so many", examples=[1])


class Condition(Reply):
    """What an `after` or `all_of` trigger waits for, sub-expression by sub-expression."""

    trigger: str = Field(examples=["nightly"])
    after: str = Field(examples=["extract.succeeded and load.ended"])
    value: bool | None = Field(description="null: unknown, which does not fire", examples=[None])
    waits: bool = Field(description="it was true, and its run waits for room among those of the job")
    parts: list[ConditionPart]
    heard: list[HeardEnd] = Field(description="of each job the newest end that counts")
    lacks: list[str] = Field(
        description="jobs of which there is none; of an `all_of` trigger what has not come",
        examples=[["default/load"]],
    )
    plan_date: str | None = Field(description="for which an `all_of` trigger waits", examples=["2026-12-31"])
    until: Instant | None = Field(description="then that is missed; null: nothing of it has come")
    before: str | None = Field(
        description="what became of the newest plan date that is over", examples=["2026-12-30: run 16"]
    )


class TaskWhen(Reply):
    """The condition of a task, as it was judged; before that, as it would be now."""

    task: str = Field(examples=["load-eu"])
    state: str = Field(description="of the task", examples=["skipped"])
    when: str = Field(examples=["params.region == 'eu'"])
    value: bool | None = Field(description="null: unknown, which is not true", examples=[False])
    parts: list[ConditionPart]


class Told(Reply):
    """Of what is in the outbox of a run: as long as it is there."""

    effect: int
    about: str = Field(examples=["failed"])
    to: str = Field(examples=["ops@example.org"])
    state: str = Field(examples=["sent"])
    at: Instant
    acknowledged: str | None = Field(description="who saw it")
    reason: str | None


class RunExplained(Reply):
    run: int = Field(examples=[17])
    job: str = Field(examples=["nightly-report"])
    namespace: str
    state: str = Field(examples=["pending"])
    verdict: str = Field(description="of the run's own gates: ready, waits or never", examples=["ready"])
    chain: list[ChainLink] = Field(
        default_factory=list, description="why it exists, to what it waits for or came to"
    )
    help: Help = None
    gates: list[Finding]
    tasks: list[TaskExplained]
    more: bool = Field(description="more tasks have not ended than are told of")
    condition: Condition | None = Field(description="that made it, by the ends that it consumed")
    whens: list[TaskWhen] = Field(description="of the first 100 tasks that have a condition")
    expected: list[str] = Field(
        description="what is still expected of it, and what did not hold",
        examples=[["it is to succeed by 2026-12-31T06:00:00Z"]],
    )
    told: list[Told] = Field(default_factory=list, description="who was told of it, is to be, or is not")


class Era(Reply):
    start: Instant | None = Field(alias="from")
    until: Instant | None


class TickExplained(Reply):
    trigger: str = Field(examples=["nightly"])
    at: Instant
    due: Instant
    outcome: str = Field(examples=["skipped"])
    reason: str | None = Field(examples=["overlap"])
    said: str = Field(examples=["run 16 of the job was in the way"])
    run: int | None = Field(examples=[16])
    into: Instant | None
    decided_at: Instant | None
    era: Era
    verdict: str = Field(examples=["never"])
    gates: list[Finding]
    schedule: str | None = Field(
        default=None, description="that gave the trigger", examples=["default/month-end"]
    )
    substitute: str | None = Field(default=None, description="that took the schedule's place then")
    chain: list[ChainLink] = Field(
        default_factory=list, description="from the definition of its time to what became of it"
    )
    help: Help = None


class SeenFile(Reply):
    path: str = Field(examples=["/incoming/a.csv"])
    seen: Instant
    state: str = Field(
        description="waiting for its run, fired, done: to be moved or deleted, or left where it is",
        examples=["left"],
    )
    run: int | None
    why: str | None = Field(examples=["its run ended as failed"])


class Awaited(Reply):
    trigger: str = Field(examples=["on-push"])
    hook: str | None = Field(examples=["default/deploys"])
    board: str | None = Field(default=None, examples=["default/stock"])
    folder: str | None = Field(default=None, examples=["/incoming on pool etl"])
    last: str | None = Field(
        description="the newest delivery that the hook took, key on the board, or file in the folder"
    )
    last_at: Instant | None
    left: int = Field(default=0, description="notices that it has not heard yet, or files that wait")
    said: str = Field(examples=["each delivery to the hook makes a run"])
    verdict: str = Field(examples=["ready"])
    gates: list[Finding]
    files: list[SeenFile] = Field(default_factory=list, description="known in the folder, the newest 20")


class InstantExplained(Reply):
    job: str = Field(examples=["nightly-report"])
    namespace: str
    at: Instant | None
    verdict: str = Field(
        default="never", description="of the first tick: ready, waits or never; where there is none, never"
    )
    chain: list[ChainLink] = Field(
        default_factory=list, description="of the first tick; where there is none, how far it comes"
    )
    help: Help = None
    said: str | None = Field(description="where there is no such tick: why")
    before: Instant | None = Field(description="there: the nearest instants of the job")
    after: Instant | None
    ticks: list[TickExplained]
    conditions: list[Condition] = Field(description="of its triggers that wait for ends, as they are now")
    awaits: list[Awaited] = Field(
        default_factory=list, description="of its triggers that wait for deliveries, notices or files"
    )
