"""`on`: which agents may run a task."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from scheduler.model.fields import NAME_PATTERN, Labels, Model, Name, check_label, check_name, type_name
from scheduler.model.ordering import PREFER
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


def _zone(value: Any) -> Any:
    """`prefer zone-a` is what `{prefer: zone-a}` is inside."""
    if not isinstance(value, dict):
        if value == PREFER:
            raise Refused("prefer which zone?", "zone: {prefer: zone-a}")
        return value if value is None else check_name(value)
    if list(value) != [PREFER]:
        raise Refused("a zone is a name, spread, or {prefer: NAME}", "such as {prefer: zone-a}")
    return f"{PREFER} {check_name(value[PREFER])}"


def _written_zone(value: str | None) -> Any:
    name = (value or "").partition(" ")[2]
    return {PREFER: name} if name else value


class Placement(Model):
    """Which agents may run the task."""

    pool: Name = "default"
    labels: Labels = Field(default_factory=dict)
    zone: Annotated[
        str | None,
        BeforeValidator(_zone),
        PlainSerializer(_written_zone),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": NAME_PATTERN},
                    {
                        "type": "object",
                        "properties": {PREFER: {"type": "string", "pattern": NAME_PATTERN}},
                        "required": [PREFER],
                        "additionalProperties": False,
                    },
                    {"type": "null"},
                ]
            }
        ),
        Field(description="only in this zone; spread: over all zones evenly; {prefer: NAME}: there first"),
    ] = None
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
        Literal["least_loaded", "round_robin", "fixed_priority"] | None,
        AfterValidator(lambda value: None if value == "least_loaded" else value),
        Field(
            description="which of them: that with the smallest share of its slots taken (default), each in"
            " turn, or the first by its label `priority`"
        ),
    ] = None
