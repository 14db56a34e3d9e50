"""A definition as a person writes it: without what is left to the defaults."""

from __future__ import annotations

import json
from typing import Any

from scheduler.model.job import canonical
from scheduler.model.parse import parse_job
from scheduler.model.problems import JobError


def brief(spec: bytes, format: int) -> dict[str, Any]:
    """The job of these canonical bytes, without what may be left out; the whole where that would not be the
    same job to a state of this format."""
    whole: dict[str, Any] = json.loads(spec)
    try:
        short = parse_job(whole, format=format).model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
        )
        if canonical(parse_job(short, format=format), format=format) == spec:
            return {name: short[name] for name in ("job", *short)}
    except JobError:  # of an earlier version, which took what is refused today
        pass
    return whole
