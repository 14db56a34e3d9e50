"""resource: a named amount of which jobs take some: one (a lock), several, or so many in a time."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scheduler.model.fields import Name, type_name
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.problems import Refused, shortened
from scheduler.model.quantities import format_duration, parse_duration_ms

COUNT_MAX = 1_000_000
_RATE = re.compile(r"([0-9]{1,7}) per ([0-9a-z]{2,40})")


def _rate(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"a rate is text, not {type_name(value)}", "such as 100 per 1m")
    match = _RATE.fullmatch(value.strip())
    if match is None:
        raise Refused(f"{shortened(value)} is no rate", "write it like 100 per 1m")
    try:
        period_ms = parse_duration_ms(match[2])
    except ValueError as error:
        raise Refused(str(error), "write it like 100 per 1m") from error
    if not 1 <= int(match[1]) <= COUNT_MAX:
        raise Refused(f"a rate is from 1 to {COUNT_MAX} in a time")
    return f"{int(match[1])} per {format_duration(period_ms)}"


class Resource(Described):
    name: Annotated[Name, Field(alias="resource")]
    count: Annotated[
        int | None, Field(ge=1, le=COUNT_MAX, description="how much there is; without a rate 1, a lock")
    ] = None
    rate: Annotated[
        str | None,
        BeforeValidator(_rate),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,7} per [0-9a-z]+$"}),
        Field(description="how much may be taken in a time, such as 100 per 1m"),
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.count is not None and self.rate is not None:
            raise Refused("count and rate exclude each other", "remove one", at=("rate",))
        return self

    def public(self) -> dict[str, Any]:
        shape = super().public()
        return shape if "rate" in shape else {"count": 1, **shape}


RESOURCE = Kind(
    name="resource",
    description="A named amount of which jobs take some: a lock, a count, or so many in a time.",
    example={"resource": "warehouse", "count": 4},
    model=Resource,
    other_words=("lock", "semaphore", "mutex", "limit"),
)
