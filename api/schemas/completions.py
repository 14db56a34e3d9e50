"""How tasks stand that somebody outside completes."""

from __future__ import annotations

from pydantic import Field

from api.schemas.reply import Instant, Reply


class Progress(Reply):
    """How far it is, as it says itself."""

    percent: int | None = Field(examples=[40])
    text: str | None = Field(examples=["copying"])
    at: Instant


class Completion(Reply):
    """Of an attempt of an async task, once anything is known of it."""

    until: Instant | None = Field(description="until then it may be completed, while it awaits that")
    exited: Instant | None = Field(description="when its process ended, well")
    outcome: str | None = Field(description="succeeded or failed; null: nobody said", examples=["succeeded"])
    message: str | None = Field(examples=["loaded 3 files"])
    outputs: dict[str, bool | int | float | str] | None = Field(
        description="what came with that, for the tasks after it", examples=[{"rows": 3}]
    )
    by: str | None = Field(description="whose word it is; null: by its own token", examples=["ann"])
    at: Instant | None
    progress: Progress | None


class Completed(Completion):
    """With what it is of."""

    run: int = Field(examples=[17])
    task: str = Field(examples=["submit"])
    member: str | None
    attempt: int = Field(description="its number among those of the task", examples=[1])
    state: str = Field(description="of the attempt", examples=["succeeded"])
