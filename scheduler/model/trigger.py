"""Triggers: what makes a job due. One of `cron`, `every`, `at`."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from scheduler.model.fields import DurationMs, InstantMs, Model, Name
from scheduler.model.problems import Refused
from scheduler.model.quantities import format_duration, format_instant
from scheduler.ticks import (
    CronError,
    UnknownZoneError,
    at_spec,
    cron_spec,
    every_spec,
    never_reason,
    parse_expression,
    zone,
)

KINDS = ("cron", "every", "at")
EVERY_MS_MIN = 100


class Trigger(Model):
    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [kind]} for kind in KINDS]},
    )

    id: Annotated[Name | None, Field(description="names the trigger; else a hash of its schedule")] = None
    cron: Annotated[
        str | None, Field(description="5 fields, 6 with seconds first, names, steps, L, W, #, H, @daily…")
    ] = None
    every_ms: Annotated[DurationMs | None, Field(alias="every")] = None
    at_ms: Annotated[InstantMs | None, Field(alias="at")] = None
    tz: Annotated[str | None, Field(description="IANA zone of a cron trigger; default UTC")] = None
    dst: Annotated[Literal["cron", "skip", "literal"] | None, Field(description="for cron; default cron")] = (
        None
    )
    start_ms: Annotated[InstantMs | None, Field(alias="start", description="anchor of `every`")] = None
    jitter_ms: Annotated[
        DurationMs | None, Field(alias="jitter", description="upper limit of a constant offset")
    ] = None

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is not None:
            value = value.rstrip()  # a block of YAML ends with a line feed
            try:
                parse_expression(value, "any/seed")
            except CronError as error:
                raise Refused(str(error), error.hint) from error
            reason = never_reason(cron_spec(value, seed="any/seed"), 0)
            if reason is not None:
                raise Refused(f"{value[:80]!r}: {reason}")
        return value

    @field_validator("every_ms")
    @classmethod
    def _every(cls, value: int | None) -> int | None:
        if value is not None and value < EVERY_MS_MIN:
            raise Refused(f"the shortest period is {EVERY_MS_MIN} ms")
        return value

    @field_validator("tz")
    @classmethod
    def _tz(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                zone(value)
            except UnknownZoneError as error:
                names = " or ".join(error.similar)
                hint = f"did you mean {names}?" if names else "an IANA name such as Europe/Berlin"
                raise Refused(str(error), hint) from error
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        values = (self.cron, self.every_ms, self.at_ms)
        given = [kind for kind, value in zip(KINDS, values, strict=True) if value is not None]
        if len(given) != 1:
            said = f"{' and '.join(given)} exclude each other" if given else "it has no schedule"
            raise Refused(f"{said}: a trigger has exactly one of cron, every, at", "use one trigger for each")
        if self.cron is None and (self.tz is not None or self.dst is not None):
            raise Refused(f"tz and dst are for cron triggers, not for `{given[0]}`", "remove them")
        if self.every_ms is None and self.start_ms is not None:
            raise Refused(f"start is for `every` triggers, not for `{given[0]}`", "remove it")
        return self

    def schedule_fields(self) -> dict[str, str]:
        """What decides the instants, all defaults filled in."""
        if self.cron is not None:
            return {"cron": self.cron, "tz": self.tz or "UTC", "dst": self.dst or "cron"}
        if self.every_ms is not None:
            start = {} if self.start_ms is None else {"start": format_instant(self.start_ms)}
            return {"every": format_duration(self.every_ms), **start}
        return {"at": format_instant(self.at_ms or 0)}

    def why_spent(self, namespace: str, job: str, now_ms: int) -> tuple[str, str, str]:
        """Where (its field), why and with which way out this trigger fires at no instant after `now_ms`."""
        if self.at_ms is not None:
            detail = f"{format_instant(self.at_ms)} is in the past: it is {format_instant(now_ms)}"
            return "at", detail, "give a later instant, or remove the trigger"
        reason = never_reason(self.spec(namespace, job), now_ms) or "it never fires"
        if self.dst == "skip":
            return "", f"{(self.cron or '')[:80]!r} with dst: skip: {reason}", "use dst: cron"
        return "", reason, "remove the trigger"

    @property
    def key(self) -> str:
        """The trigger's identity within its job."""
        if self.id is not None:
            return self.id
        text = json.dumps(self.schedule_fields(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def spec(self, namespace: str, job: str) -> bytes:
        """The bytes for `scheduler.ticks.schedule`."""
        if self.cron is not None:
            return cron_spec(
                self.cron, tz=self.tz or "UTC", dst=self.dst or "cron", seed=f"{namespace}/{job}"
            )
        if self.every_ms is not None:
            return every_spec(self.every_ms, self.start_ms or 0)
        return at_spec(self.at_ms or 0)
