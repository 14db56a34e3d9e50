"""What routes of namespaces answer."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas.replies import Instant, Pause, Reply


class Plan(Reply):
    tz: str = Field(examples=["Europe/Berlin"])
    begin: str = Field(examples=["06:00"])
    auto_close: str | None = Field(default=None, description="after the end of a date", examples=["1d"])


class Quotas(Reply):
    jobs: int | None = Field(default=None, examples=[200])
    active_runs: int | None = Field(default=None, examples=[50])
    starts_per_minute: int | None = Field(default=None, examples=[600])


class Namespace(Reply):
    """What was said of a namespace, and how many jobs it has."""

    namespace: str = Field(examples=["finance"])
    description: str
    owner: str = Field(examples=["finance-oncall"])
    plan: Plan
    pools: list[str] = Field(description="that its tasks may name; none: any", examples=[["etl"]])
    run_as: list[str] = Field(description="that its tasks may run as; none: any", examples=[["batch"]])
    before: str | None = Field(default=None, description="for a shell, before each attempt")
    after: str | None = Field(default=None, description="for a shell, after each attempt")
    quotas: Quotas
    defaults: dict[str, Any] | None = Field(
        default=None, description="for its jobs, under their own words", examples=[{"retry": {"max": 3}}]
    )
    following: bool = Field(description="jobs have yet to follow its defaults", examples=[False])
    declared: bool = Field(description="false: it is there with its jobs, which may have everything")
    revision: int = Field(description="0: nobody declared it", examples=[3])
    jobs: int
    pause: Pause | None = Field(description="of the namespace as a whole, that stands")
    active_runs: int = Field(description="runs that count for its quota", examples=[3])
    waiting_runs: int = Field(description="runs that wait until it may have one more, 1,000 at most")
    created: Instant | None
    changed: Instant | None
    actor: str | None


class NamespaceList(Reply):
    items: list[Namespace]
    next_cursor: str | None


class NamespaceDryRun(Reply):
    dry_run: bool = Field(examples=[True])
    name: str = Field(examples=["finance"])
    change: str = Field(description="created, changed or unchanged", examples=["created"])
    revision: int = Field(description="as it is; 0: nobody declared it")
    follow: list[str] = Field(description="jobs that would follow other defaults, of the first 1,000")
    follow_more: bool = Field(description="there are more jobs than were judged")
    closes_through: str | None = Field(
        description="all plan dates up to this one would close by themselves at once; null: none do",
        examples=["2026-12-24"],
    )
    outside: list[str] = Field(description="jobs that use other pools or users, the first 20 of 2,000")
