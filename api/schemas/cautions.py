"""What jobs mean and perhaps should not."""

from __future__ import annotations

from pydantic import Field

from api.schemas.reply import Reply


class Warned(Reply):
    """What a job means and perhaps should not; it is in the way of nothing."""

    kind: str = Field(examples=["job"])
    namespace: str = Field(examples=["default"])
    name: str = Field(examples=["payout"])
    pointer: str = Field(examples=["/policies/locks"])
    detail: str = Field(examples=["a run of it holds them while approve waits for a person"])
    hint: str = Field(examples=["Let those tasks take them that need them (locks of a task)."])
