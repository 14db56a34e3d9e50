"""What is told of sources."""

from __future__ import annotations

from pydantic import Field

from api.schemas.replies import Reply


class Drift(Reply):
    kind: str = Field(examples=["job"])
    namespace: str
    name: str
    change: str = Field(
        description="otherwise: edited; gone: deleted; left over: the source names it no more;"
        " of a dry run created, changed, deleted"
    )


class SourceState(Reply):
    namespace: str
    name: str
    from_: str = Field(alias="from", description="the folder, repository or prefix")
    state: str = Field(
        examples=["synced"], description="waiting, disabled, synced, drifted, refused or unreachable"
    )
    revision: str | None = Field(description="that is live: a commit's id, else a digest; null: none")
    live_at: str | None
    documents: int = Field(description="that it owned then")
    created: int = Field(description="by what went live last; so are the next two")
    changed: int
    deleted: int
    seen: str | None = Field(description="the revision that was looked at last")
    since: str | None = Field(description="when it came to be as told")
    detail: str | None = Field(description="why what it says is not live")
    problems: list[str] = Field(examples=[["jobs/nightly.yaml:3:7 /run: unknown field"]])
    drift: list[Drift] = Field(description="the first 100, of namespaces where the caller may read")
    drifted: int = Field(description="how many there are")
    asked: int = Field(description="how often people asked for a look; `answered` of these were had")
    answered: int
