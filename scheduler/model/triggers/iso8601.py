"""iso8601: a start, and the same period again and again, as ISO 8601 writes it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from scheduler.model.problems import Refused
from scheduler.model.triggers.kind import Kind
from scheduler.model.triggers.zoned import ZonedFields
from scheduler.ticks import RepeatError, iso8601_spec


class Iso8601Fields(ZonedFields):
    iso8601: Annotated[
        str | None, Field(description="R5/2026-01-31T00:00:00Z/P1M, R/start/end or R5/period/end")
    ] = None

    @field_validator("iso8601")
    @classmethod
    def _iso8601(cls, value: str | None) -> str | None:
        if value is not None:
            value = value.strip().upper()
            try:
                iso8601_spec(value)
            except RepeatError as error:
                raise Refused(str(error), error.hint) from error
        return value


def _schedule(trigger: Iso8601Fields) -> dict[str, str]:
    zoned = {} if trigger.tz is None else {"tz": trigger.tz}
    return {"iso8601": trigger.iso8601 or "", **zoned}


def _spec(trigger: Iso8601Fields, job: str) -> bytes:
    return iso8601_spec(trigger.iso8601 or "", trigger.tz)


def _spent(trigger: Iso8601Fields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "iso8601", f"the last instant of {trigger.iso8601} is in the past", "remove the trigger"


ISO8601 = Kind(
    name="iso8601",
    example={"iso8601": "R5/2099-01-31T00:00:00Z/P1M", "tz": "Europe/Berlin"},
    fields=Iso8601Fields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    other_words=("repeating_interval", "rrule", "iso"),
)
