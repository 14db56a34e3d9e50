"""What is expected of runs and jobs, and what does not hold."""

from __future__ import annotations

from pydantic import Field

from api.schemas.reply import Instant, Reply


class Period(Reply):
    from_: Instant = Field(alias="from")
    until: Instant


class Acknowledged(Reply):
    """A person has seen it: until then nobody is told of the same of that job again."""

    by: str | None = Field(examples=["ann"])
    since: Instant
    until: Instant
    reason: str | None = Field(examples=["the database is being moved"])


class Expectation(Reply):
    """Something that was expected and does not hold, or did not."""

    id: int = Field(examples=[17])
    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly-report"])
    run: int | None = Field(description="null: it is of the job", examples=[42])
    attempt: int | None = Field(description="of stalled")
    what: str = Field(
        description="late_start, at_risk, late_end, short, long, stalled or too_few", examples=["late_end"]
    )
    said: str = Field(examples=["by 2026-12-31T06:00:00Z neither it nor a later run had succeeded"])
    limit: Instant = Field(description="the instant that was to hold")
    at: Instant = Field(description="when it was told")
    over: Instant | None = Field(description="since when it holds again; null: it does not")
    found: int = Field(description="too_few: runs; else milliseconds, of what the words name")
    wanted: int = Field(description="too_few: runs; else milliseconds, of what the words name")
    period: Period | None = Field(description="of too_few")
    acknowledged: Acknowledged | None


class ExpectationList(Reply):
    items: list[Expectation]
    next_cursor: str | None


class ExpectedOfRun(Reply):
    """What is still expected of a run, and what of it did not hold."""

    start_by: Instant | None = Field(description="null: nothing, or not any more")
    end_by: Instant | None = Field(description="by when it, or a later run of the job, is to succeed")
    at_risk_from: Instant | None = Field(description="not started by then, it is not likely to end in time")
    long_from: Instant | None
    usual_ms: int | None = Field(description="how long runs took as it was made; null: nobody knew")
    told: list[Expectation]
