"""A secret that a task is given: `DB_PASSWORD`, or `{name: DB_PASSWORD, as: PGPASSWORD, file: true}`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from scheduler.model.fields import (
    REFERENCE_PATTERN,
    VARIABLE_PATTERN,
    Model,
    Reference,
    as_tuple,
    check_variable,
)
from scheduler.model.problems import Refused
from scheduler.model.secret_uses import USES_MAX, variable_of


def _written_out(value: Any) -> Any:
    """A name alone, and one without a variable."""
    given = {"name": value} if isinstance(value, str) else value
    if isinstance(given, dict) and isinstance(given.get("name"), str) and given.get("as") is None:
        variable = variable_of(given["name"])
        if variable[:1].isdigit():
            raise Refused(f"no variable can be called {variable[:60]}", "name one: {name: …, as: VARIABLE}")
        given = {**given, "as": variable}
    return given


class Secret(Model):
    name: Reference
    variable: Annotated[str, BeforeValidator(check_variable), Field(alias="as")] = ""
    file: bool = False


def _or_none(value: Any) -> Any:
    """Equal jobs have one text: no secret is said by silence alone."""
    return None if value in ([], ()) else value


def _once(value: tuple[Secret, ...]) -> tuple[Secret, ...]:
    variables = [secret.variable for secret in value]
    twice = [name for name in variables if variables.count(name) > 1]
    if twice:
        raise Refused(f"two secrets come in the variable {twice[0]}", "give one another: {name: …, as: NAME}")
    return value


_REFERENCE = {
    "type": "string", "pattern": REFERENCE_PATTERN,
    "description": "NAME, or NAMESPACE/NAME of another namespace",
}  # fmt: skip
_SCHEMA = {
    "type": "array",
    "maxItems": USES_MAX,
    "items": {
        "anyOf": [
            _REFERENCE,
            {
                "type": "object",
                "properties": {
                    "name": _REFERENCE,
                    "as": {
                        "type": "string",
                        "pattern": VARIABLE_PATTERN,
                        "description": "the variable that it comes in; without one, that of its name",
                    },
                    "file": {
                        "type": "boolean",
                        "default": False,
                        "description": "the variable holds the path of a file with the value",
                    },
                },
                "required": ["name"],
                "additionalProperties": False,
            },
        ]
    },
    "description": "secrets that it is given, each in a variable or a file; its output shows none",
}

_Some = Annotated[
    tuple[Annotated[Secret, BeforeValidator(_written_out)], ...],
    BeforeValidator(as_tuple),
    Field(max_length=USES_MAX),
    AfterValidator(_once),
    WithJsonSchema(_SCHEMA),
]
Secrets = Annotated[_Some | None, BeforeValidator(_or_none)]
