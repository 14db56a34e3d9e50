"""every: again and again after the same elapsed time; or so long after the end of the job's last run."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from scheduler.model.fields import DURATION_SCHEMA, InstantMs, Model, check_duration
from scheduler.model.problems import Refused, shortened
from scheduler.model.quantities import format_duration, format_instant
from scheduler.model.triggers.kind import Kind
from scheduler.ticks import PERIOD_MS_MIN, delay_spec, every_spec

_SUCH = "such as every: 15m, or every: {delay: 10m}"


class Delay(NamedTuple):
    """After the end of the job's last run."""

    ms: int


def _every(value: Any) -> Any:
    if isinstance(value, Delay):
        return value
    if not isinstance(value, dict):
        return _long_enough(check_duration(value))
    for name in value:
        if name != "delay":
            raise Refused(f"unknown field {shortened(name)}", _SUCH)
    if value.get("delay") is None:
        raise Refused("it says no delay", _SUCH)
    return Delay(_long_enough(check_duration(value["delay"])))


def _long_enough(value: Any) -> Any:
    if isinstance(value, int) and value < PERIOD_MS_MIN:
        raise Refused(f"the shortest period is {PERIOD_MS_MIN} ms")
    return value


def _written(value: Any) -> Any:
    return {"delay": format_duration(value.ms)} if isinstance(value, Delay) else format_duration(value)


_DELAY_SCHEMA = {
    "type": "object", "required": ["delay"], "additionalProperties": False,
    "properties": {"delay": {**DURATION_SCHEMA, "description": "from the end of the job's last run"}},
}  # fmt: skip


class EveryFields(Model):
    every: Annotated[
        Any,
        BeforeValidator(lambda value: None if value is None else _every(value)),
        PlainSerializer(_written, when_used="unless-none"),
        WithJsonSchema({"anyOf": [DURATION_SCHEMA, _DELAY_SCHEMA, {"type": "null"}]}),
        Field(description="elapsed time from one tick to the next; or `delay`, from the end of the last run"),
    ] = None
    start_ms: Annotated[InstantMs | None, Field(alias="start", description="anchor of `every`")] = None


def _schedule(trigger: EveryFields) -> dict[str, Any]:
    start = {} if trigger.start_ms is None else {"start": format_instant(trigger.start_ms)}
    return {"every": _written(trigger.every), **start}


def _spec(trigger: EveryFields, job: str) -> bytes:
    if isinstance(trigger.every, Delay):
        return delay_spec(trigger.every.ms)
    return every_spec(trigger.every or 0, trigger.start_ms or 0)


def _spent(trigger: EveryFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "", reason, "remove the trigger"


EVERY = Kind(
    name="every",
    example={"every": "15m", "start": "2026-01-01T00:00:00Z"},
    fields=EveryFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    waits=lambda trigger: isinstance(trigger.every, Delay),
    unwaited=("start",),
    other_words=("interval", "period", "repeat", "each"),
)
