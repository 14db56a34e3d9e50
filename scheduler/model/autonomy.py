"""Coming ticks that an agent has in advance, and may start where it reaches no node. What excludes it is told
by autonomy_check.py."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from scheduler.model.fields import DurationMs, Model
from scheduler.model.problems import Refused
from scheduler.model.quantities import format_duration

WINDOW_MS_MIN, WINDOW_MS_MAX = 60_000, 24 * 3_600_000


class Autonomy(Model):
    window_ms: Annotated[
        DurationMs,
        Field(alias="window", description="so far ahead an agent has its ticks; 1m to 1d"),
    ]

    @field_validator("window_ms")
    @classmethod
    def _bounded(cls, value: int) -> int:
        if not WINDOW_MS_MIN <= value <= WINDOW_MS_MAX:
            least, most = format_duration(WINDOW_MS_MIN), format_duration(WINDOW_MS_MAX)
            raise Refused(f"a window lasts from {least} to {most}", "as long as nodes may be out of reach")
        return value
