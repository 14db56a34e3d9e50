"""What a task asks a person: who may answer, until when."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from scheduler.model.fields import DurationMs, Model, as_tuple
from scheduler.model.problems import Refused, shortened
from scheduler.model.quantities import format_duration
from scheduler.model.texts import no_nul

EXPIRES_MS = 7 * 86_400_000
EXPIRES_MS_MAX = 366 * 86_400_000
NAMES_MAX = 100
NAME_LETTERS_MAX = 128
TEXT_LETTERS_MAX = 1_000

Name = Annotated[str, Field(min_length=1, max_length=NAME_LETTERS_MAX)]


class Approval(Model):
    by: Annotated[
        tuple[Name, ...],
        BeforeValidator(as_tuple),
        Field(
            max_length=NAMES_MAX,
            description="names of the tokens that may answer; each needs the role approver in the job's"
            " namespace too. Empty: whoever has that",
        ),
    ] = ()
    expires_ms: Annotated[
        DurationMs, Field(alias="expires", description="after so long without an answer the task has expired")
    ] = EXPIRES_MS
    four_eyes: Annotated[
        bool,
        Field(
            description="who asked for the run may not answer; of one that no person asked for, who wrote"
            " that revision of its job"
        ),
    ] = False
    text: Annotated[
        str | None, Field(min_length=1, max_length=TEXT_LETTERS_MAX, description="what is asked")
    ] = None

    @field_validator("by")
    @classmethod
    def _once_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        twice = [name for place, name in enumerate(value) if name in value[:place]]
        if twice:
            raise Refused(f"{shortened(twice[0])} stands there twice", "name each once")
        for name in value:
            no_nul(name)
        return value

    @field_validator("expires_ms")
    @classmethod
    def _bounded(cls, value: int) -> int:
        if value > EXPIRES_MS_MAX:
            raise Refused(
                f"it may wait {format_duration(EXPIRES_MS_MAX)} at most",
                "an answer that takes longer is another run",
            )
        return value

    @field_validator("text")
    @classmethod
    def _one_can_read_it(cls, value: str | None) -> str | None:
        return value if value is None else no_nul(value)
