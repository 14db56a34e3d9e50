"""tz: of the kinds whose instants are told by a clock on a wall."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from scheduler.model.fields import Model
from scheduler.model.problems import Refused
from scheduler.ticks import UnknownZoneError, zone


class ZonedFields(Model):
    tz: Annotated[str | None, Field(description="IANA zone of cron, iso8601 or at_least; default UTC")] = None

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
