"""schedule: triggers that many jobs share, or what takes the place of another schedule for a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from scheduler.model import known_schedules
from scheduler.model.bounds import TRIGGERS_MAX
from scheduler.model.fields import InstantMs, Model, Name, Reference, as_tuple
from scheduler.model.known_dates import KIND
from scheduler.model.named import Target, resolved
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.problems import Problem, Refused, pointer_of
from scheduler.model.trigger import Trigger
from scheduler.model.trigger_check import repeated_triggers

PLACE = ("substitute",)


class Valid(Model):
    """Of a substitute: from when it counts, and from when no more."""

    from_ms: Annotated[InstantMs, Field(alias="from")]
    until_ms: Annotated[InstantMs, Field(alias="until")]

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.from_ms >= self.until_ms:
            raise Refused("it ends before it begins", "until is after from")
        return self


class Schedule(Described):
    name: Annotated[Name, Field(alias="schedule")]
    enabled: Annotated[bool, Field(description="false: its triggers never fire")] = True
    triggers: Annotated[
        tuple[Trigger, ...],
        BeforeValidator(as_tuple),
        Field(max_length=TRIGGERS_MAX, description="as those of a job; a substitute may have none"),
    ] = ()
    substitute: Annotated[
        Reference | None, Field(description="the schedule in whose place this one comes while it is valid")
    ] = None
    valid: Annotated[Valid | None, Field(description="of a substitute")] = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.substitute is None and self.valid is not None:
            hint = "say which schedule it takes the place of: substitute"
            raise Refused("valid is for substitutes", hint, at=("valid",))
        if self.substitute is not None and self.valid is None:
            raise Refused("a substitute needs a time", "such as valid: {from: …, until: …}", at=PLACE)
        if self.substitute is None and not self.triggers:
            hint = "give triggers, or the schedule that it substitutes"
            raise Refused("it has no triggers", hint, at=("triggers",))
        base = None if self.substitute is None else resolved(self.substitute, self.namespace)
        if base == (self.namespace, self.name):
            raise Refused("it cannot take its own place", "name another schedule in substitute", at=PLACE)
        if base is not None and base[0] != self.namespace:
            detail = "it would take the place of a schedule of another namespace"
            hint = "a substitute is of the namespace of what it substitutes: put it there"
            raise Refused(detail, hint, at=PLACE)
        return self

    def zones(self) -> list[str]:
        return [trigger.zone for trigger in self.triggers if trigger.zone]

    def public(self) -> dict[str, Any]:
        shape = super().public()
        for place, trigger in enumerate(self.triggers):
            shape["triggers"][place].update(trigger.schedule_fields())
        return shape

    def refers(self) -> list[Target]:
        found = [
            Target(kind, namespace, name, pointer_of("triggers", place, field))
            for place, trigger in enumerate(self.triggers)
            for kind, namespace, name, field in trigger.refers(self.namespace)
        ]
        if self.substitute is not None:
            found.append(Target("schedule", *resolved(self.substitute, self.namespace), "/substitute"))
        for place, trigger in enumerate(self.triggers):
            for way, number, text in () if trigger.calendar is None else trigger.calendar.named:
                pointer = pointer_of("triggers", place, "calendar", way, number)
                found.append(Target(KIND, *resolved(text, self.namespace), pointer))
        return found

    def faults(self) -> list[Problem]:
        found = repeated_triggers(self.triggers, lambda place: pointer_of("triggers", place))
        for place, trigger in enumerate(self.triggers):
            found += [
                Problem(pointer_of("triggers", place, *field), detail, hint)
                for field, detail, hint in _not_shared(trigger)
            ]
        return found


def _not_shared(trigger: Trigger) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What a trigger may say in a job alone: the field, why, and the way out."""
    kind = trigger.kind
    if kind.is_shared:
        detail = "a schedule has triggers of its own, not those of another"
        yield (kind.name,), detail, "have the job name both"
    elif not trigger.has_instants:
        yield (kind.name,), f"{kind.name} has no instants that jobs could share", "say it in each job"
    for field, given in (("params", trigger.params), ("overlap", trigger.overlap)):
        if given is not None and trigger.has_instants:
            hint = f"say it where a job names the schedule: {{schedule: NAME, {field}: …}}"
            yield (field,), f"{field}: a schedule says when, a job what its runs are", hint
    rule = trigger.calendar
    if trigger.asks_for_working_days and not (rule and (rule.include or rule.exclude)):
        field = "workday" if trigger.workday is not None else "calendar"
        detail = "no calendar says which days are working days"
        yield (field,), detail, "name one: calendar: {exclude: [NAME]}"
    elif rule is not None and not (rule.include or rule.exclude):
        yield ("calendar",), "it names no calendar", "include or exclude one, or remove it"


def _per_day(given: Schedule) -> int:
    return sum(known_schedules.per_day_of(trigger, given.namespace) for trigger in given.triggers)


SCHEDULE = Kind(
    name="schedule",
    description="Triggers that many jobs share, or what takes the place of another schedule for a time.",
    example={"schedule": "month-end", "triggers": [{"cron": "0 18 L * *", "tz": "Europe/Berlin"}]},
    model=Schedule,
    pin=known_schedules.pin_of,
    per_day=_per_day,
    other_words=("timetable", "plan", "cadence"),
)
