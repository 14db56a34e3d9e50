"""exec: a program and its arguments, without a shell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from scheduler.model.problems import Refused
from scheduler.model.texts import SCRIPT_CHARACTERS_MAX, no_nul
from scheduler.model.work.kind import Kind
from scheduler.model.work.process import CRLF_HINT, FEATURES, with_surroundings

ARGUMENTS_MAX = 4_096


def _value() -> Any:
    from pydantic import AfterValidator, BeforeValidator, Field

    from scheduler.model.fields import as_tuple

    return Annotated[
        tuple[str, ...],
        BeforeValidator(as_tuple),
        Field(min_length=1, max_length=ARGUMENTS_MAX),
        AfterValidator(_arguments),
    ]


def _arguments(value: tuple[str, ...]) -> tuple[str, ...]:
    if value[0].endswith("\r"):
        raise Refused("the first item, the program, ends in a carriage return", CRLF_HINT)
    if not value[0].strip():
        raise Refused("the first item, the program, is empty")
    for item in value:
        no_nul(item)
    if sum(map(len, value)) > SCRIPT_CHARACTERS_MAX:
        raise Refused(f"the arguments are longer than {SCRIPT_CHARACTERS_MAX} characters")
    return value


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    return with_surroundings({"argv": task["exec"]}, task)


EXEC = Kind(
    name="exec",
    description="a program and its arguments, without a shell",
    example=["./report", "--all"],
    value=_value,
    compiled=_compiled,
    happens="agent",
    executor="exec",
    features=FEATURES,
    entries_max=ARGUMENTS_MAX,
    other_words=("argv", "args", "arguments", "program"),
)
