"""A script that is shipped with its job: `script: |`, or `{text: …, interpreter: python3, files: {…}}`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from scheduler.model.fields import Model
from scheduler.model.problems import Refused, shortened
from scheduler.model.texts import no_nul, not_blank
from scheduler.model.work.run import check_script

TEXT_BYTES_MAX = 1 << 20  #: of it and its files
FILES_MAX = 100
NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"
_NAME = re.compile(NAME_PATTERN[1:-1])
OWN = "script"  #: the name of the script among its files


def _file(name: str) -> str:
    if not _NAME.fullmatch(name) or name == OWN:
        hint = "letters, digits, and . _ - behind the first, no folder; the script itself is called script"
        raise Refused(f"{shortened(name)} cannot be the name of a file beside a script", hint)
    return name


def _interpreter(value: Any) -> Any:
    given = (value,) if isinstance(value, str) else value
    return tuple(given) if isinstance(given, list) else given


def _program(value: tuple[str, ...]) -> tuple[str, ...]:
    not_blank(value[0])
    for item in value:
        no_nul(item)
    return value


class Script(Model):
    text: Annotated[
        str,
        Field(min_length=1, max_length=TEXT_BYTES_MAX, description="the script itself"),
        AfterValidator(check_script),
    ]
    interpreter: Annotated[
        Annotated[tuple[str, ...], Field(min_length=1, max_length=10), AfterValidator(_program)] | None,
        BeforeValidator(_interpreter),
        Field(description="a program and its arguments; else the #! line of the text, or /bin/sh"),
    ] = None
    files: Annotated[
        dict[Annotated[str, AfterValidator(_file)], Annotated[str, AfterValidator(no_nul)]] | None,
        Field(max_length=FILES_MAX, description="name and text of what lies beside it, in $CRONCLAVE_FILES"),
    ] = None


def _whole(value: Script) -> Script:
    texts = (value.text, *(value.files or {}).values())
    size = sum(len(text.encode()) for text in texts)
    if size > TEXT_BYTES_MAX:
        raise Refused(f"the script and its files have {size} bytes, {TEXT_BYTES_MAX} at most")
    return value


def _written_out(value: Any) -> Any:
    """A text alone."""
    return {"text": value} if isinstance(value, str) else value


def _short(value: Script) -> str | dict[str, Any]:
    """Equal jobs have one text."""
    given = value.model_dump(mode="json", exclude_none=True)
    return value.text if given.keys() == {"text"} else given


Shipped = Annotated[
    Script,
    BeforeValidator(_written_out),
    AfterValidator(_whole),
    PlainSerializer(_short),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": TEXT_BYTES_MAX},
                Script.model_json_schema(),
            ]
        }
    ),
]
