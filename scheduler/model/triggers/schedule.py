"""schedule: the triggers of a named schedule, which many jobs share. It has no instants of its own: for the
log each of those is a trigger of the job (`model.known_schedules`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scheduler.model.fields import Model, Reference
from scheduler.model.named import resolved
from scheduler.model.schedule_names import KIND
from scheduler.model.triggers.kind import Kind
from scheduler.ticks import event_spec


class ScheduleFields(Model):
    schedule: Annotated[
        Reference | None, Field(description="a schedule whose triggers it has: a name, or namespace/name")
    ] = None


def _schedule(trigger: ScheduleFields) -> dict[str, str]:
    return {"schedule": trigger.schedule or ""}


def _spec(trigger: ScheduleFields, job: str) -> bytes:
    return event_spec(f"{KIND}/{trigger.schedule}")


def _spent(trigger: ScheduleFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "schedule", reason, "remove the trigger"


def _refers(trigger: ScheduleFields, namespace: str) -> list[tuple[str, str, str, str]]:
    return [(KIND, *resolved(trigger.schedule or "", namespace), "schedule")]


SCHEDULE = Kind(
    name="schedule",
    example={"schedule": "month-end"},
    fields=ScheduleFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    refers=_refers,
    has_instants=False,
    is_shared=True,
    other_words=("schedule_name", "timetable", "shared_schedule"),
)
