"""The shapes of answers that tell what would be done: of anything, and of runs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from api.schemas.replies import Reply


class DryRun(Reply):
    """What would be done."""

    dry_run: Literal[True]


class RunPlan(DryRun):
    """The run that would be made."""

    job: str = Field(examples=["nightly-report"])
    namespace: str = Field(examples=["default"])
    revision: int = Field(examples=[3])
    params: dict[str, Any] = Field(
        description="that it would have, its dates counted", examples=[{"region": "eu", "day": "2026-12-30"}]
    )


class RerunPlan(DryRun):
    """What of a run would be done again; of each sort of its tasks the first names."""

    run: int = Field(examples=[42])
    job: str = Field(examples=["nightly-report"])
    namespace: str = Field(examples=["default"])
    revision: int = Field(examples=[3])
    params: dict[str, Any] = Field(examples=[{"region": "eu"}])
    counts: dict[str, int] = Field(examples=[{"anew": 2, "taken": 1, "left_out": 0}])
    anew: list[str] = Field(examples=[["load", "report"]])
    taken: list[str] = Field(examples=[["extract"]])
    left_out: list[str]


class Follows(Reply):
    """A job that would be revised by a template that it extends."""

    template: str = Field(examples=["default/reports"])
    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly-report"])
