"""What is said of a task that somebody outside completes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from scheduler.model.fields import DurationMs, Model
from scheduler.model.problems import Refused
from scheduler.model.quantities import format_duration

TOKEN_VARIABLE = "CRONCLAVE_CALLBACK_TOKEN"
TIMEOUT_MS_MAX = 366 * 86_400_000


class Async(Model):
    timeout_ms: Annotated[
        DurationMs,
        Field(
            alias="timeout",
            description="from the start of an attempt; what nobody has completed by then has timed out",
        ),
    ]

    @field_validator("timeout_ms")
    @classmethod
    def _bounded(cls, value: int) -> int:
        if value > TIMEOUT_MS_MAX:
            raise Refused(
                f"it may take {format_duration(TIMEOUT_MS_MAX)} at most", "what takes longer is another run"
            )
        return value
