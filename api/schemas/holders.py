"""What is told of resources: who holds some, and who waits."""

from __future__ import annotations

from pydantic import Field

from api.schemas.replies import Reply


class Holder(Reply):
    run: int = Field(examples=[17])
    namespace: str
    job: str
    task: str | None = Field(description="null: the whole run holds it")
    amount: int
    since: str


class HolderList(Reply):
    amount: int = Field(description="how much there is; of a rate, within its period")
    period: str | None = Field(description="of a rate", examples=["1m"])
    held: int
    free: int
    items: list[Holder]
    next_cursor: str | None


class Waiter(Reply):
    run: int = Field(examples=[18])
    namespace: str
    job: str
    task: str
    amount: int
    since: str | None


class WaiterList(Reply):
    amount: int
    period: str | None
    held: int
    free: int
    items: list[Waiter]
    next_cursor: str | None
