"""every: again and again after the same elapsed time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from scheduler.model.fields import DurationMs, InstantMs, Model
from scheduler.model.problems import Refused
from scheduler.model.quantities import format_duration, format_instant
from scheduler.model.triggers.kind import Kind
from scheduler.ticks import PERIOD_MS_MIN, every_spec


class EveryFields(Model):
    every_ms: Annotated[
        DurationMs | None, Field(alias="every", description="elapsed time from one tick to the next")
    ] = None
    start_ms: Annotated[InstantMs | None, Field(alias="start", description="anchor of `every`")] = None

    @field_validator("every_ms")
    @classmethod
    def _every(cls, value: int | None) -> int | None:
        if value is not None and value < PERIOD_MS_MIN:
            raise Refused(f"the shortest period is {PERIOD_MS_MIN} ms")
        return value


def _schedule(trigger: EveryFields) -> dict[str, str]:
    start = {} if trigger.start_ms is None else {"start": format_instant(trigger.start_ms)}
    return {"every": format_duration(trigger.every_ms or 0), **start}


def _spec(trigger: EveryFields, job: str) -> bytes:
    return every_spec(trigger.every_ms or 0, trigger.start_ms or 0)


def _spent(trigger: EveryFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "", reason, "remove the trigger"


EVERY = Kind(
    name="every",
    example={"every": "15m", "start": "2026-01-01T00:00:00Z"},
    fields=EveryFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    other_words=("interval", "period", "repeat", "each"),
)
