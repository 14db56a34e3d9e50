"""at: once, at one instant."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scheduler.model.fields import InstantMs, Model
from scheduler.model.quantities import format_instant
from scheduler.model.triggers.kind import Kind
from scheduler.ticks import at_spec


class AtFields(Model):
    at_ms: Annotated[InstantMs | None, Field(alias="at", description="once, at this instant")] = None


def _schedule(trigger: AtFields) -> dict[str, str]:
    return {"at": format_instant(trigger.at_ms or 0)}


def _spec(trigger: AtFields, job: str) -> bytes:
    return at_spec(trigger.at_ms or 0)


def _spent(trigger: AtFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    detail = f"{format_instant(trigger.at_ms or 0)} is in the past: it is {format_instant(now_ms)}"
    return "at", detail, "give a later instant, or remove the trigger"


AT = Kind(
    name="at",
    example={"at": "2100-12-31T23:00:00Z"},
    fields=AtFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    other_words=("once", "date", "run_at", "run_date"),
)
