"""The shape of the audit."""

from __future__ import annotations

from pydantic import Field

from api.schemas.replies import Instant, Reply


class AuditEntry(Reply):
    """Something that a person decided, or whoever came through the API."""

    number: int = Field(description="Without a gap: one that is missing was dropped for its age")
    index: int
    at: Instant
    actor: str | None = Field(description="Name of the token; null: a node, by itself", examples=["ann"])
    address: str | None = Field(examples=["10.0.0.7"])
    session: bool = Field(description="In a browser, by a session that the token had opened")
    action: str = Field(examples=["put"])
    kind: str = Field(description="Of the object", examples=["job"])
    namespace: str | None = Field(description="null: of the cluster")
    name: str | None = Field(description="Of the object; of a run, its job's", examples=["nightly-report"])
    run: int | None
    before: int | str | None = Field(description="A revision is a number, a small value a text", examples=[3])
    after: int | str | None = Field(examples=[4])
    reason: str | None


class AuditEntryList(Reply):
    items: list[AuditEntry]
    next_cursor: str | None
