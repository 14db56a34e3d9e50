"""The shapes of backfills (docs/reference/api.md)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.replies import Instant, Reply


class BackfillDates(Reply):
    """Plan dates, both included."""

    from_: str = Field(alias="from", examples=["2026-03-01"])
    to: str = Field(examples=["2026-03-31"])


class Backfill(Reply):
    """Runs that are made for instants that are past, and how far that has come."""

    id: int = Field(examples=[4711])
    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly-report"])
    trigger: str = Field(examples=["nightly"])
    state: str = Field(description="going, done or cancelled", examples=["going"])
    from_: Instant = Field(alias="from", description="what lies behind this instant")
    to: Instant = Field(description="up to this one")
    dates: BackfillDates | None = Field(description="of those there these plan dates alone; null: all")
    at: Instant = Field(description="up to this one all of it was looked at")
    instants: int = Field(description="that the schedule had there when it began", examples=[31])
    runs: int = Field(description="that were made", examples=[12])
    active: int = Field(description="of these, that have not ended", examples=[1])
    succeeded: int = Field(examples=[11])
    failed: int = Field(description="or ended else than well", examples=[0])
    left_out: int = Field(description="instants that needed no run, or were not to have one", examples=[19])
    max_active: int = Field(examples=[1])
    missing_only: bool
    again: bool
    closed: bool
    began: Instant
    ended: Instant | None
    reason: str | None
    actor: str | None
    why: str | None = Field(description="it was cancelled")


class BackfillList(Reply):
    items: list[Backfill]
    next_cursor: str | None


class BackfillDryRun(Reply):
    """What would come of each instant, as things stand."""

    dry_run: Literal[True]
    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly-report"])
    trigger: str = Field(examples=["nightly"])
    from_: Instant = Field(alias="from")
    to: Instant
    dates: BackfillDates | None
    instants: int = Field(examples=[31])
    runs: int = Field(description="that would be made", examples=[12])
    left_out: dict[str, int] = Field(
        description="how many get no run, by why: succeeded, going, coming, closed, unknown",
        examples=[{"succeeded": 19}],
    )
    first: list[Instant] = Field(description="of those that get one, the first 100")
    unknown: list[Instant] = Field(description="whose outcome nobody knows any more, the first 100")
