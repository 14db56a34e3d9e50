"""What of a job an agent has in advance."""

from __future__ import annotations

from pydantic import Field

from api.schemas.reply import Instant, Reply


class Reserved(Reply):
    """Ticks to come that one agent may start by itself."""

    job: str = Field(examples=["meter-readings"])
    namespace: str = Field(examples=["default"])
    ticks: int = Field(description="0: none", examples=[120])
    agent: str | None = Field(examples=["plant-7"])
    connected: bool = Field(description="whether that agent is; away, what it has stays its own")
    first: Instant | None = Field(description="when the first of them is due")
    until: Instant | None = Field(description="and the last")
    asked_back: int = Field(description="of them, those that it was asked to give back", examples=[0])


class Unreserved(Reserved):
    """What is left of it."""

    lost: int = Field(description="given up: they may have run", examples=[34])
    given_back: int = Field(description="given up, and to come: they go their usual way", examples=[86])


class UnreserveDryRun(Reserved):
    """What it is about."""

    dry_run: bool = Field(examples=[True])
