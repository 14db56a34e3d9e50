"""The field `job` of a task."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from scheduler.model.fields import Model, Reference
from scheduler.model.limits import PARAMS_MAX
from scheduler.model.params import ParamValue


class Nested(Model):
    name: Annotated[Reference, Field(description="a job: a name, or namespace/name")]
    wait: Annotated[bool, Field(description="whether the task waits for its end, and ends as it does")] = True
    params: Annotated[
        Annotated[dict[str, ParamValue], Field(max_length=PARAMS_MAX)] | None,
        BeforeValidator(lambda value: value or None),
        Field(description="that the run is given, of those that its job declares"),
    ] = None
