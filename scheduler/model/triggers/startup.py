"""startup: each time that a host of a pool has booted. It has no instants: an agent tells of the boot."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from scheduler.model.fields import DurationMs, Model, Name
from scheduler.model.quantities import format_duration
from scheduler.model.triggers.kind import Kind
from scheduler.ticks import event_spec
from scheduler.words.causes import booted


class Startup(Model):
    pool: Annotated[Name, Field(description="the pool of the agents on whose hosts it runs")] = "default"
    delay_ms: Annotated[
        DurationMs | None, Field(alias="delay", description="from when the cluster hears of the boot")
    ] = None


class StartupFields(Model):
    startup: Annotated[Startup | None, Field(description="each boot of a host in a pool of agents")] = None


def _schedule(trigger: StartupFields) -> dict[str, Any]:
    asked = trigger.startup or Startup()
    delay = {} if asked.delay_ms is None else {"delay": format_duration(asked.delay_ms)}
    return {"startup": {"pool": asked.pool, **delay}}


def _spec(trigger: StartupFields, job: str) -> bytes:
    return event_spec(booted((trigger.startup or Startup()).pool))


def _delay_ms(trigger: StartupFields) -> int:
    return (trigger.startup or Startup()).delay_ms or 0


def _spent(trigger: StartupFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "startup", reason, "remove the trigger"


STARTUP = Kind(
    name="startup",
    example={"startup": {"pool": "web", "delay": "2m"}},
    fields=StartupFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    delay_ms=_delay_ms,
    has_instants=False,
    other_words=("reboot", "boot", "on_boot", "onbootsec"),
)
