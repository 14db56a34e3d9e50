"""Values of parameters, as a person, a program or another run gives them, against what a job declares.

No pydantic: the core checks what a task gives to the run of another job."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from typing import Any

from scheduler.model.limits import PARAMS_MAX
from scheduler.model.problems import JobError, Problem, pointer_of, shortened, type_name
from scheduler.words.json_text import json_text

TEXT_CHARACTERS_MAX = 8_192
_TYPES = {"string": "text", "integer": "an integer", "number": "a number", "boolean": "a boolean"}


def value_fault(kind: str, value: object) -> str:
    """Why `value` is none of this type; empty when it is."""
    if kind == "boolean":
        right = isinstance(value, bool)
    elif kind == "string":
        right = isinstance(value, str)
    elif kind == "integer":
        right = isinstance(value, int) and not isinstance(value, bool)
    else:
        right = isinstance(value, int | float) and not isinstance(value, bool)
    if not right:
        return f"must be {_TYPES[kind]}, not {type_name(value)}"
    if isinstance(value, str):
        if "\0" in value:
            return "must not contain a NUL character"
        if len(value) > TEXT_CHARACTERS_MAX:
            return f"is longer than {TEXT_CHARACTERS_MAX} characters"
    elif isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "must fit in 64 bits"
    return ""


def declared_params(spec: bytes) -> dict[str, Any]:
    """What a job of these canonical bytes declares, for `check_params`."""
    section: dict[str, Any] = json.loads(spec).get("params", {})
    return section


def check_params(params: Mapping[str, Mapping[str, Any]], given: object) -> bytes:
    """Canonical JSON of the values of one run, defaults filled in. `params`: the section of a canonical job.

    Raises JobError, with pointers into `given`.
    """
    if not isinstance(given, dict):
        raise JobError((Problem("", f"parameters are an object, not {type_name(given)}"),))
    if len(given) > PARAMS_MAX:
        detail = f"{len(given)} parameters; a job has {PARAMS_MAX} at most"
        raise JobError((Problem("", detail),))
    problems = []
    values: dict[str, object] = {}
    for name in given:
        if name not in params:
            near = difflib.get_close_matches(str(name)[:64], params, 1)
            declared = ", ".join(sorted(params))[:400] or "none"
            hint = f"did you mean {near[0]}?" if near else f"declared: {declared}"
            detail = f"the job declares no parameter {shortened(name)}"
            problems.append(Problem(pointer_of(name), detail, hint))
    for name in sorted(params):
        schema = params[name]
        if name in given:
            value = given[name]
            fault = value_fault(schema["type"], value)
            choices = schema.get("enum")
            if fault:
                problems.append(Problem(pointer_of(name), f"{name} {fault}"))
            elif choices is not None and value not in choices:
                one_of = ", ".join(json.dumps(choice) for choice in choices)[:400]
                problems.append(Problem(pointer_of(name), f"{name} is not among the allowed values", one_of))
            else:
                values[name] = value
        elif schema.get("default") is not None:
            values[name] = schema["default"]
        elif schema.get("required"):
            problems.append(Problem(pointer_of(name), f"the parameter {name} is required"))
    if problems:
        raise JobError(tuple(problems))
    return json_text(values)
