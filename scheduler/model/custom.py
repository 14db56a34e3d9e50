"""Work of an executor that somebody has installed on agents: `custom: {kind: spark, with: {class: …}}`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from scheduler.model.fields import Model
from scheduler.model.problems import Refused, shortened
from scheduler.model.texts import plain_json

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_NAME = re.compile(NAME_PATTERN[1:-1])


def _kind(value: str) -> str:
    if not _NAME.fullmatch(value):
        hint = "lowercase letters, digits, _ and - behind the first, 63 characters at most"
        raise Refused(f"{shortened(value)} cannot be the name of an executor", hint)
    return value


class Custom(Model):
    kind: Annotated[
        str,
        AfterValidator(_kind),
        Field(json_schema_extra={"pattern": NAME_PATTERN}, description="the name of its entry point"),
    ]
    given: Annotated[
        dict[str, Any],
        AfterValidator(plain_json),
        Field(alias="with", description="what the executor gets, and alone knows how to read"),
    ] = Field(default_factory=dict)
