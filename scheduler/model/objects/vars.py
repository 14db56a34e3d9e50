"""vars: named values that jobs share. A run keeps the values that it began with."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from scheduler.model.fields import Name
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.params import Value
from scheduler.model.problems import Refused
from scheduler.model.texts import no_nul
from scheduler.words.json_text import json_text

VALUES_MAX = 100
BYTES_MAX = 32 << 10  #: of all values of one object: they go to each attempt
VARIABLE = "CRONCLAVE_VAR_"
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def _values(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    by_variable: dict[str, str] = {}
    for key, content in value.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise Refused("a value's name is letters, digits and _, 64 at most, and begins with no digit")
        other = by_variable.setdefault(key.upper(), key)
        if other != key:
            raise Refused(f"{key} and {other} would share the variable {VARIABLE}{key.upper()}", "rename one")
        if isinstance(content, str):
            no_nul(content)
    size = len(json_text(value))
    if size > BYTES_MAX:
        raise Refused(f"the values have {size} bytes, {BYTES_MAX} at most", "keep large texts in files")
    return value


class Vars(Described):
    name: Annotated[Name, Field(alias="vars")]
    values: Annotated[
        dict[str, Value],
        BeforeValidator(_values),
        Field(min_length=1, max_length=VALUES_MAX, description="by name; numbers and Booleans as they are"),
    ]


VARS = Kind(
    name="vars",
    description="Named values that jobs share; a run keeps those that it began with.",
    example={"vars": "warehouse", "values": {"host": "db1.example.org", "port": 5432}},
    model=Vars,
    other_words=("variables", "env", "job_resource", "config"),
)
