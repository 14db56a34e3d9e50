"""The shapes of the plan of a day (docs/reference/api.md)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas.replies import Instant, Reply


class Usual(Reply):
    """Of the newest runs of the job that succeeded."""

    median_ms: int = Field(description="how long half of them took at most", examples=[64_000])
    p90_ms: int = Field(description="how long nine in ten of them took at most", examples=[81_000])
    runs: int = Field(description="that were measured", examples=[50])


class Expected(Reply):
    start: Instant
    end: Instant | None = Field(description="by the median; null: no run of the job has succeeded of late")


class Closed(Reply):
    since: Instant | None = Field(description="null: it closed by itself, as its namespace says")
    reason: str = Field(examples=["bank holiday"])
    actor: str = Field(description="empty: nobody")


class PlanDate(Reply):
    """Whether a plan date of a namespace is closed."""

    namespace: str = Field(examples=["default"])
    date: str = Field(examples=["2026-12-24"])
    closed: Closed | None = Field(description="null: it is open")


class Changed(Reply):
    """What a person has said of a tick."""

    act: str = Field(description="go (as it was, with these parameters), held, skipped or moved")
    to: Instant | None = Field(description="of one that is moved: when it is due")
    params: dict[str, Any] | None = Field(description="that its run has; null: those of its trigger")
    since: Instant
    reason: str | None
    actor: str | None


class Dropped(Reply):
    """A tick of which a person has said something, and that an edit takes away."""

    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly-report"])
    trigger: str = Field(examples=["nightly"])
    at: Instant
    changed: Changed


class TickChange(Reply):
    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly-report"])
    trigger: str = Field(examples=["nightly"])
    at: Instant
    changed: Changed | None = Field(description="null: it is as it was, or decided")


class PlanLine(Reply):
    """A tick, or what else fires a job on that date; without `at`, why a trigger has no tick then."""

    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly-report"])
    plan_date: str = Field(examples=["2026-12-24"])
    trigger: str | None = Field(examples=["nightly"])
    at: Instant | None
    due: Instant | None
    outcome: str | None = Field(examples=["pending"])
    reason: str | None
    run: int | None
    state: str | None = Field(description="of its run")
    started: Instant | None
    finished: Instant | None
    forecast: str | None = Field(
        description="to come: `runs`, or how it would end as things stand", examples=["skipped(blackout)"]
    )
    said: str | None = Field(description="in words: why it does not run, or what it waits for")
    expected: Expected | None = Field(description="null: it has ended, or would not run")
    start_by: Instant | None = Field(description="by when it is expected to start; null: at any time")
    end_by: Instant | None = Field(description="by when it is expected to have succeeded")
    at_risk: bool | None = Field(description="it is not likely to end by then; null: nobody knows, or it did")
    usual: Usual | None = Field(description="null: no run of the job has succeeded of late")
    changed: Changed | None = Field(description="what a person has said of this tick")
    waits: list[str] = Field(description="what its run waits for by its job's own words")
    more: bool = Field(description="the job has more ticks that day than are told: from here on")


class Plan(PlanDate):
    from_: Instant = Field(alias="from", description="when the date begins")
    until: Instant = Field(description="when the next one does")
    closes: Instant | None = Field(description="when it closes by itself; null: it is closed, or never does")
    items: list[PlanLine]
    next_cursor: str | None
