"""What a task of kind `python` calls: `reports.nightly:main`, or `{call: …, interpreter: /opt/python}`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from scheduler.model.fields import Model
from scheduler.model.problems import Refused, shortened
from scheduler.model.texts import no_nul, not_blank
from scheduler.model.work.process import INTERPRETER

CALL_LETTERS_MAX = 500
_DOTTED = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*"
CALL_PATTERN = f"^{_DOTTED}:{_DOTTED}$"
_CALL = re.compile(CALL_PATTERN[1:-1])


def _checked(value: str) -> str:
    if not _CALL.fullmatch(value):
        hint = "MODULE:FUNCTION, such as reports.nightly:main; it gets no arguments, parameters are variables"
        raise Refused(f"{shortened(value)} names no function of a module", hint)
    return value


def _program(value: str) -> str:
    return not_blank(no_nul(value))


class Called(Model):
    call: Annotated[
        str,
        AfterValidator(_checked),
        Field(max_length=CALL_LETTERS_MAX, json_schema_extra={"pattern": CALL_PATTERN},
              description="MODULE:FUNCTION, called without arguments"),
    ]  # fmt: skip
    interpreter: Annotated[
        str,
        AfterValidator(_program),
        Field(min_length=1, max_length=4_096, description="of the agent's host"),
    ] = INTERPRETER


def _written_out(value: Any) -> Any:
    """A function alone."""
    return {"call": value} if isinstance(value, str) else value


def _short(value: Called) -> str | dict[str, str]:
    """Equal jobs have one text."""
    is_plain = value.interpreter == INTERPRETER
    return value.call if is_plain else {"call": value.call, "interpreter": value.interpreter}


Call = Annotated[
    Called,
    BeforeValidator(_written_out),
    PlainSerializer(_short),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": CALL_PATTERN, "maxLength": CALL_LETTERS_MAX},
                Called.model_json_schema(),
            ]
        }
    ),
]
