"""Work of an executor that somebody has installed on agents: `custom: {kind: spark, with: {class: …}}`."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from scheduler.model.fields import Model
from scheduler.model.problems import Refused, shortened

WITH_BYTES_MAX = 64 << 10
NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_NAME = re.compile(NAME_PATTERN[1:-1])


def _kind(value: str) -> str:
    if not _NAME.fullmatch(value):
        hint = "lowercase letters, digits, _ and - behind the first, 63 characters at most"
        raise Refused(f"{shortened(value)} cannot be the name of an executor", hint)
    return value


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(value, allow_nan=False).encode())
    except (TypeError, ValueError):
        hint = "objects, lists, texts, numbers, true and false"
        raise Refused("it holds what JSON cannot say", hint) from None
    if size > WITH_BYTES_MAX:
        raise Refused(f"it has {size} bytes as JSON, {WITH_BYTES_MAX} at most")
    return value


class Custom(Model):
    kind: Annotated[
        str,
        AfterValidator(_kind),
        Field(json_schema_extra={"pattern": NAME_PATTERN}, description="the name of its entry point"),
    ]
    given: Annotated[
        dict[str, Any],
        AfterValidator(_plain),
        Field(alias="with", description="what the executor gets, and alone knows how to read"),
    ] = Field(default_factory=dict)
