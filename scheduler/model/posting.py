"""A notice that a task posts: on which board, under which key, for how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from scheduler.model.fields import DurationMs, Model, Reference
from scheduler.model.limits import NOTICE_LETTERS_MAX, NOTICE_MS_MAX
from scheduler.model.noticing import PLAN_DATE
from scheduler.model.problems import Refused
from scheduler.model.texts import no_nul


class Posted(Model):
    board: Annotated[Reference, Field(description="a board: a name, or namespace/name")]
    key: Annotated[
        str,
        Field(
            description=f"of the notice; {PLAN_DATE}: the plan date of its run",
            json_schema_extra={"minLength": 1, "maxLength": NOTICE_LETTERS_MAX},
        ),
    ]
    expires_ms: Annotated[
        DurationMs | None, Field(alias="expires", description="how long it stays; else as its board says")
    ] = None

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        if not 1 <= len(value) <= NOTICE_LETTERS_MAX:
            said = f"such as orders, or {PLAN_DATE} for the plan date of its run"
            raise Refused(f"a key has 1 to {NOTICE_LETTERS_MAX} letters", said)
        return no_nul(value)

    @field_validator("expires_ms")
    @classmethod
    def _is_not_for_ever(cls, value: int | None) -> int | None:
        if value is not None and value > NOTICE_MS_MAX:
            raise Refused("a notice may stay ten years at most", "leave it out: as its board says")
        return value
