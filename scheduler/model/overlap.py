"""What becomes of a firing beside other runs of its job: a word, or how many may be active, and a word."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from scheduler.model.fields import Model, type_name
from scheduler.model.problems import Refused, shortened

Overlap = Literal["skip", "queue_one", "queue_all", "cancel_running", "allow"]
WORDS = get_args(Overlap)
BEYOND = ("skip", "queue_one", "queue_all")
ACTIVE_MAX = 100
LATER, LATER_FIELDS = ("terminate_running",), ("key",)
_HINT = "a word, or such as {max: 3, then: queue_all}"


class OverlapLimit(Model):
    """So many runs of the job may be active, before what fires is judged by `then`."""

    max: Annotated[int, Field(ge=1, le=ACTIVE_MAX, description="runs that may be active at once")]
    then: Annotated[
        Literal["skip", "queue_one", "queue_all"], Field(description="of what fires beyond; default skip")
    ] = "skip"


def _overlap(value: Any) -> Any:
    if isinstance(value, OverlapLimit):
        return value
    if isinstance(value, dict):
        return _limit(value)
    if value in LATER:
        raise Refused(f"overlap: {value} is not available in this version", f"one of {', '.join(WORDS)}")
    if not isinstance(value, str) or value not in WORDS:
        shown = shortened(value) if isinstance(value, str) else type_name(value)
        near = difflib.get_close_matches(value[:20], WORDS, 1) if isinstance(value, str) else []
        hint = f"did you mean {near[0]}?" if near else _HINT
        raise Refused(f"overlap must be one of {', '.join(WORDS)}, not {shown}", hint)
    return value


def _limit(value: dict[Any, Any]) -> OverlapLimit:
    for name in value:
        if name in LATER_FIELDS:
            raise Refused(f"{name} is not available in this version", f"remove {name}")
        if name not in OverlapLimit.model_fields:
            raise Refused(f"unknown field {shortened(name)}", "known here: max, then")
    most, then = value.get("max"), value.get("then", "skip")
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= ACTIVE_MAX:
        raise Refused(f"max is a whole number from 1 to {ACTIVE_MAX}", "so many runs may be active at once")
    if then not in BEYOND:
        raise Refused(f"then must be one of {', '.join(BEYOND)}", "what becomes of those beyond")
    return OverlapLimit(max=most, then=then)


OverlapPolicy = Annotated[Overlap | OverlapLimit, BeforeValidator(_overlap)]
