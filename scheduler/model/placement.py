"""`on`: which agents may run a task."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from scheduler.model.fields import Labels, Model, Name, check_label, type_name
from scheduler.model.problems import Refused
from scheduler.patterns import LETTERS_MAX, PatternError, check

PATTERNS_MAX = 16


def _patterns(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if not value:
        raise Refused("it names no label", "such as {host: \"db*\"}, or remove it")
    for key, pattern in value.items():
        check_label(key)
        if not isinstance(pattern, str):
            raise Refused(f"the pattern of {key} must be text, not {type_name(pattern)}", "put it in quotes")
        try:
            check(pattern)
        except PatternError as error:
            raise Refused(f"the pattern of {key}: {error}", 'such as "db*" or "regex:db[0-9]+"') from error
    return value


Patterns = Annotated[
    dict[Annotated[str, Field()], Annotated[str, Field(max_length=LETTERS_MAX)]],
    BeforeValidator(_patterns),
    Field(max_length=PATTERNS_MAX),
]


class Placement(Model):
    """Which agents may run the task."""

    pool: Name = "default"
    labels: Labels = Field(default_factory=dict)
    zone: Annotated[Name | None, Field(description="only in this zone")] = None
    match: Annotated[
        Patterns | None, Field(description="labels that fit patterns: globs, or regex:…; host: its name too")
    ] = None
    unlike: Annotated[
        Patterns | None, Field(alias="not", description="no label of the agent fits its pattern")
    ] = None
    same_as: Annotated[
        Name | None, Field(description="the agent that had this task's last attempt, and no other")
    ] = None
    strategy: Annotated[
        Literal["least_loaded"] | None,
        AfterValidator(lambda value: None),
        Field(description="which of them: the one with the smallest share of its slots taken"),
    ] = None

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        if value in ("spread", "prefer"):
            raise Refused(f"zone: {value} is not available in this version", "name a zone, or leave it out")
        return value
