"""What becomes of a firing beside other runs of its job: a word, or how many may be active, and a word."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from scheduler.model.fields import Model, type_name
from scheduler.model.overlap_key import is_plain, names_of
from scheduler.model.problems import Problem, Refused, pointer_of, shortened

Overlap = Literal["skip", "queue_one", "queue_all", "cancel_running", "terminate_running", "allow"]
Beyond = Literal["skip", "queue_one", "queue_all", "cancel_running", "terminate_running"]
WORDS, BEYOND = get_args(Overlap), get_args(Beyond)
ACTIVE_MAX = 100
KEY_LETTERS_MAX = 500
_HINT = "a word, or such as {max: 3, then: queue_all}"
_KEY = 'text with parameters of the job, such as "{params.region}"'


class OverlapLimit(Model):
    """So many runs of the job, or of each key, may be active, before what fires is judged by `then`."""

    max: Annotated[int, Field(ge=1, le=ACTIVE_MAX, description="runs that may be active at once")] = 1
    key: Annotated[
        str | None,
        Field(min_length=1, max_length=KEY_LETTERS_MAX,
              description='those runs alone count that have the same one: text with "{params.NAME}"'),
    ] = None  # fmt: skip
    then: Annotated[Beyond, Field(description="of what fires beyond; default skip")] = "skip"


def _overlap(value: Any) -> Any:
    if isinstance(value, OverlapLimit):
        return value
    if isinstance(value, dict):
        return _limit(value)
    if not isinstance(value, str) or value not in WORDS:
        shown = shortened(value) if isinstance(value, str) else type_name(value)
        near = difflib.get_close_matches(value[:20], WORDS, 1) if isinstance(value, str) else []
        hint = f"did you mean {near[0]}?" if near else _HINT
        raise Refused(f"overlap must be one of {', '.join(WORDS)}, not {shown}", hint)
    return value


def _limit(value: dict[Any, Any]) -> OverlapLimit:
    for name in value:
        if name not in OverlapLimit.model_fields:
            raise Refused(f"unknown field {shortened(name)}", "known here: max, key, then")
    key = value.get("key")
    most, then = value.get("max", None if key is None else 1), value.get("then", "skip")
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= ACTIVE_MAX:
        raise Refused(f"max is a whole number from 1 to {ACTIVE_MAX}", "so many runs may be active at once")
    if then not in BEYOND:
        raise Refused(f"then must be one of {', '.join(BEYOND)}", "what becomes of those beyond")
    if key is not None:
        _check_key(key)
    return OverlapLimit(max=most, key=key, then=then)


def _check_key(key: Any) -> None:
    if not isinstance(key, str):
        raise Refused(f"key is text, not {type_name(key)}", _KEY)
    if len(key) > KEY_LETTERS_MAX:
        raise Refused(f"key is longer than {KEY_LETTERS_MAX} characters", _KEY)
    if not names_of(key) or not is_plain(key):
        raise Refused(f"key {shortened(key)} is not made of parameters", _KEY)


def key_problems(overlap: str | OverlapLimit, params: Collection[str]) -> list[Problem]:
    """Parameters that its key names and the job does not declare."""
    if isinstance(overlap, str) or overlap.key is None:
        return []
    problems = []
    for name in dict.fromkeys(names_of(overlap.key)):
        if name not in params:
            near = difflib.get_close_matches(name, params, 1)
            declared = ", ".join(sorted(params))[:400] or "none"
            hint = f"did you mean {near[0]}?" if near else f"declared: {declared}"
            detail = f"key names the parameter {name!r}, which the job does not declare"
            problems.append(Problem(pointer_of("policies", "overlap", "key"), detail, hint))
    return problems


OverlapPolicy = Annotated[Overlap | OverlapLimit, BeforeValidator(_overlap)]
