"""What tasks ask persons."""

from __future__ import annotations

from pydantic import Field

from api.schemas.reply import Instant, Reply


class Asked(Reply):
    """Who may answer what, and until when."""

    asked: Instant
    expires: Instant
    by: list[str] = Field(description="who may answer; empty: who has the role", examples=[["ann", "bob"]])
    not_: str | None = Field(alias="not", description="who may not, by four eyes", examples=["carl"])
    text: str | None = Field(description="what is asked", examples=["Pay out what was loaded?"])


class Approval(Asked):
    """Of a task of a run, with the answer."""

    answer: str | None = Field(description="approved or rejected; null: none", examples=["approved"])
    answered_by: str | None = Field(examples=["ann"])
    answered: Instant | None
    reason: str | None = Field(examples=["it is right"])


class WaitingApproval(Asked):
    """A task that asks, and has no answer."""

    run: int = Field(examples=[17])
    namespace: str = Field(examples=["default"])
    job: str = Field(examples=["nightly"])
    task: str = Field(examples=["approve"])
    round: int = Field(description="of a task in a group: how often that had been begun anew", examples=[0])
    may: bool = Field(description="whether the caller may answer")


class ApprovalList(Reply):
    items: list[WaitingApproval]
    next_cursor: str | None
