"""The types of the job schema's fields: each knows how it is written, checked and published.

Checks raise Refused; parse.py turns them into Problems.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from scheduler.model.graph import NEEDS_MAX
from scheduler.model.outputs import NAME_PATTERN as OUTPUT_PATTERN
from scheduler.model.outputs import NAMES_MAX as OUTPUTS_MAX
from scheduler.model.outputs import check_name as check_output
from scheduler.model.problems import Refused
from scheduler.model.problems import type_name as type_name
from scheduler.model.quantities import (
    format_duration,
    format_instant,
    format_size,
    parse_duration_ms,
    parse_instant_ms,
    parse_size_bytes,
)
from scheduler.model.texts import no_nul

NAME_PATTERN = r"^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,126}[a-zA-Z0-9])?$"
REFERENCE_PATTERN = f"^({NAME_PATTERN[1:-1]}/)?{NAME_PATTERN[1:]}"
_NAME = re.compile(NAME_PATTERN[1:-1])
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
_VARIABLE = re.compile(VARIABLE_PATTERN[1:-1])
USER_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._@\\-]{0,126}[$]?$"
_USER = re.compile(USER_PATTERN[1:-1])
_UMASK = re.compile(r"0?[0-7]{3}")
_LABEL = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._/-]{0,126}[a-zA-Z0-9])?")
NAMES_HINT = "letters, digits, and . _ - between them, 128 characters at most"
DURATIONS_HINT = 'such as "90s" or "1h30m"'
INSTANTS_HINT = "such as 2026-12-31T23:00:00Z"


class Model(BaseModel):
    """A part of the public schema: frozen, strict about types, no surplus fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=False)


def check_name(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused(f"a name must be text, not {type_name(value)}", NAMES_HINT)
    if not _NAME.fullmatch(value):
        if len(value) > 128:
            raise Refused(f"the name is {len(value)} characters long, at most 128 are allowed")
        if not value:
            raise Refused("the name is empty", NAMES_HINT)
        bad = sorted({c for c in value if not (c.isascii() and (c.isalnum() or c in "._-"))})
        if bad:
            shown = ", ".join(repr(c) for c in bad[:5])
            raise Refused(f"a name must not contain {shown}", NAMES_HINT)
        raise Refused("a name must begin and end with a letter or digit")
    return value


def check_reference(value: Any) -> str:
    if isinstance(value, str) and "/" in value:
        namespace, _, name = value.partition("/")
        check_name(namespace)
        check_name(name)
        return value
    return check_name(value)


def check_duration(value: Any) -> int:
    if not isinstance(value, str):
        raise Refused(f"a duration is text with a unit, not {type_name(value)}", DURATIONS_HINT)
    try:
        return parse_duration_ms(value)
    except ValueError as error:
        raise Refused(str(error), DURATIONS_HINT) from error


def _size(value: Any) -> int:
    if not isinstance(value, str):
        raise Refused(f"a size is text with a unit, not {type_name(value)}", 'such as "10MiB"')
    try:
        return parse_size_bytes(value)
    except ValueError as error:
        raise Refused(str(error)) from error


def _instant(value: Any) -> int:
    if not isinstance(value, str):
        raise Refused(f"an instant is text, not {type_name(value)}", INSTANTS_HINT)
    try:
        return parse_instant_ms(value)
    except ValueError as error:
        raise Refused(str(error), INSTANTS_HINT) from error


def _time_of_day(value: Any) -> Any:
    if isinstance(value, str):
        hours, colon, minutes = value.partition(":")
        digits = len(value) == 5 and colon and hours.isdecimal() and minutes.isdecimal()
        if not digits or int(hours) > 23 or int(minutes) > 59:
            raise Refused(f"{value[:20]!r} is no time of the day", 'write it as "06:00", in quotes')
    return value


def as_tuple(value: Any) -> Any:
    """JSON lists become tuples; anything else is left for pydantic to refuse."""
    return tuple(value) if isinstance(value, list) else value


def check_variable(name: Any) -> Any:
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        raise Refused("names of variables are letters, digits and _", "they do not begin with a digit")
    if name.upper().startswith("CRONCLAVE_"):
        raise Refused("names that begin with CRONCLAVE_ are set by the scheduler", f"rename {name[:60]}")
    return name


def _environment(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    for name, content in value.items():
        check_variable(name)
        if not isinstance(content, str):
            raise Refused(f"the value of {name} must be text, not {type_name(content)}", "put it in quotes")
        no_nul(content)
    return value


def _user(value: Any) -> Any:
    if not isinstance(value, str):
        raise Refused(f"a user is named by a text, not {type_name(value)}", "its name on the agent's host")
    if value.isdecimal():
        raise Refused(f"{value[:20]} is a number", "name the user: numbers differ from host to host")
    if not _USER.fullmatch(value):
        detail = f"{value[:60]!r} is no name of a user"
        raise Refused(detail, "letters, digits and . _ - @ \\ between them, 128 at most")
    return value


def _umask(value: Any) -> Any:
    if not isinstance(value, str) or not _UMASK.fullmatch(value):
        shown = f"{value[:20]!r}" if isinstance(value, str) else type_name(value)
        raise Refused(f"a umask is three octal digits, not {shown}", 'write it as "027", in quotes')
    return value[-3:]


def check_label(key: Any) -> None:
    if not isinstance(key, str) or not _LABEL.fullmatch(key):
        raise Refused("a label's key is letters, digits, and . _ / - between them, 128 at most")


def _labels(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    for key, content in value.items():
        check_label(key)
        if not isinstance(content, str):
            raise Refused(f"the label {key} must be text, not {type_name(content)}", "put it in quotes")
        if len(content) > 256:
            raise Refused(f"the label {key} is longer than 256 characters")
    return value


DURATION_SCHEMA = {
    "type": "string",
    "pattern": r"^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
    "description": "a duration such as 90s, 15m, 1h30m or 7d, longer than zero",
}


User = Annotated[
    str, BeforeValidator(_user),
    WithJsonSchema({"type": "string", "pattern": USER_PATTERN, "maxLength": 128}),
]  # fmt: skip
Umask = Annotated[
    str, BeforeValidator(_umask), WithJsonSchema({"type": "string", "pattern": "^0?[0-7]{3}$"})
]
Name = Annotated[
    str, BeforeValidator(check_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})
]
Reference = Annotated[
    str, BeforeValidator(check_reference), WithJsonSchema({"type": "string", "pattern": REFERENCE_PATTERN})
]
DurationMs = Annotated[
    int,
    BeforeValidator(check_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(DURATION_SCHEMA),
]
SizeBytes = Annotated[
    int,
    BeforeValidator(_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+ *([KMG]i?)?B?$"}),
]
InstantMs = Annotated[
    int,
    BeforeValidator(_instant),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
TimeOfDay = Annotated[
    str, BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]  # fmt: skip
Names = Annotated[tuple[Name, ...], BeforeValidator(as_tuple), Field(max_length=NEEDS_MAX)]
Environment = Annotated[dict[str, str], BeforeValidator(_environment), Field(max_length=256)]
Labels = Annotated[dict[str, str], BeforeValidator(_labels), Field(max_length=64)]

_OUTPUT = {"type": "string", "pattern": OUTPUT_PATTERN}
_Outputs = Annotated[
    tuple[Annotated[str, BeforeValidator(check_output), WithJsonSchema(_OUTPUT)], ...],
    Field(max_length=OUTPUTS_MAX),
]
Outputs = Annotated[
    _Outputs | None,
    BeforeValidator(lambda value: as_tuple(value) or None),
    Field(description="names of values that its command writes to $CRONCLAVE_OUTPUT, for the tasks after it"),
]
