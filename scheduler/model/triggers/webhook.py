"""webhook: each delivery that a hook of the job's namespace takes. It has no instants."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from scheduler.model.fields import NAME_PATTERN, Model, check_name
from scheduler.model.problems import Refused
from scheduler.model.triggers.kind import Kind
from scheduler.ticks import event_spec
from scheduler.words.causes import hooked


class WebhookFields(Model):
    webhook: Annotated[
        str | None,
        Field(
            description="a hook of the job's namespace: each delivery makes a run, and what its body says of"
            " declared params",
            json_schema_extra={"pattern": NAME_PATTERN},
        ),
    ] = None

    @field_validator("webhook")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and "/" in value:
            # Its jobs take a delivery all or none: those of others could keep it from everybody.
            raise Refused("a hook's jobs are of its own namespace", "name a hook of the job's namespace")
        return None if value is None else check_name(value)


def _schedule(trigger: WebhookFields) -> dict[str, Any]:
    return {"webhook": trigger.webhook}


def _spec(trigger: WebhookFields, job: str) -> bytes:
    return event_spec(hooked(job.partition("/")[0], trigger.webhook or ""))


def _refers(trigger: WebhookFields, namespace: str) -> list[tuple[str, str, str, str]]:
    return [("hook", namespace, trigger.webhook or "", "webhook")]


def _spent(trigger: WebhookFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "webhook", reason, "remove the trigger"


WEBHOOK = Kind(
    name="webhook",
    example={"webhook": "deploys"},
    fields=WebhookFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    refers=_refers,
    has_instants=False,
    has_offset=False,
    brings_params=True,
    overlap="queue_all",
    other_words=("hook", "incoming_webhook", "on_webhook", "http_trigger"),
)
