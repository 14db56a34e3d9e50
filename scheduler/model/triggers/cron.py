"""cron: at the local times that match an expression."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from scheduler.model.problems import Refused
from scheduler.model.triggers.kind import Kind
from scheduler.model.triggers.zoned import ZonedFields
from scheduler.ticks import CronError, cron_spec, ever_matches, never_reason, parse_expression


class CronFields(ZonedFields):
    cron: Annotated[
        str | None, Field(description="5 fields, 6 with seconds first, names, steps, L, W, #, H, @daily…")
    ] = None
    dst: Annotated[Literal["cron", "skip", "literal"] | None, Field(description="for cron; default cron")] = (
        None
    )
    days: Annotated[
        Literal["debian", "either", "both"] | None,
        Field(description="how day of month and day of week are joined; default debian: cron's rule"),
    ] = None

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is not None:
            value = value.rstrip()  # a block of YAML ends with a line feed
            wrong = _why_wrong(value)
            if wrong is not None:
                raise Refused(*wrong)
        return value


@lru_cache(maxsize=16_384)
def _why_wrong(text: str) -> tuple[str, str] | None:
    """What a text is refused for, and a hint: it is looked at once, however many jobs have it."""
    try:
        expression = parse_expression(text, "any/job")
    except CronError as error:
        return str(error), error.hint
    if ever_matches(expression):  # without a search for an instant: half of what a new text took
        return None
    reason = never_reason(cron_spec(text, salt="any/job"), 0)
    return None if reason is None else (f"{text[:80]!r}: {reason}", "other days, or other months")


def _schedule(trigger: CronFields) -> dict[str, Any]:
    days = {} if trigger.days in (None, "debian") else {"days": trigger.days}
    return {"cron": trigger.cron or "", "tz": trigger.tz or "UTC", "dst": trigger.dst or "cron", **days}


def _spec(trigger: CronFields, job: str) -> bytes:
    return cron_spec(
        trigger.cron or "",
        tz=trigger.tz or "UTC",
        dst=trigger.dst or "cron",
        days=trigger.days or "debian",
        salt=job,
    )


def _spent(trigger: CronFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    if trigger.dst == "skip":
        return "", f"{(trigger.cron or '')[:80]!r} with dst: skip: {reason}", "use dst: cron"
    return "", reason, "remove the trigger"


CRON = Kind(
    name="cron",
    example={"cron": "0 2 1-7 * 1", "tz": "Europe/Berlin", "dst": "skip", "days": "both"},
    fields=CronFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    other_words=("crontab", "expression", "cron_expression", "cronspec"),
)
