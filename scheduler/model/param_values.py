"""Values of parameters, as a person, a program or another run gives them, against what a job declares.

No pydantic: the core checks what a task gives to the run of another job."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scheduler.model import date_expressions
from scheduler.model.limits import PARAMS_MAX
from scheduler.model.problems import JobError, Problem, pointer_of, shortened, type_name
from scheduler.model.quantities import parse_duration_ms
from scheduler.words.json_text import json_text

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
TEXT_CHARACTERS_MAX = 8_192
LIST_CHARACTERS_MAX = 65_536  #: of a list or a map, as JSON: half of what an environment variable may hold
DEPTH_MAX = 8
ALLOW, REFUSE = "allow", "refuse"
_TYPES = {
    "string": "text", "integer": "an integer", "number": "a number", "boolean": "a boolean",
    "date": "a date, as text", "datetime": "an instant, as text", "duration": "a duration, as text",
    "list": "a list", "map": "an object", "enum": "text, a number or a boolean",
}  # fmt: skip


class Declared(NamedTuple):
    """What a job says of parameters."""

    params: Mapping[str, Mapping[str, Any]] = {}  #: the section of a canonical job
    takes_extra: bool = False  #: what it does not declare passes, as text


def value_fault(kind: str, value: object) -> tuple[str, str]:
    """Why `value` is none of this type, and a hint; empty when it is."""
    if not _is_of(kind, value):
        return f"must be {_TYPES[kind]}, not {type_name(value)}", ""
    if isinstance(value, list | dict):
        return _inner_fault(value), ""
    if fault := _scalar_fault(value):
        return fault, ""
    if kind in date_expressions.KINDS and isinstance(value, str):
        fault, hint = date_expressions.fault(kind, value)
        return (f"says no {kind}: {fault}", hint) if fault else ("", "")
    if kind == "duration" and isinstance(value, str):
        try:
            parse_duration_ms(value)
        except ValueError as error:
            return f"says no duration: {error}", 'such as "90s" or "1h30m"'
    return "", ""


def _is_of(kind: str, value: object) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind in ("list", "map"):
        return isinstance(value, list if kind == "list" else dict)
    return isinstance(value, str | int | float if kind == "enum" else str)


def _scalar_fault(value: object) -> str:
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


def _inner_fault(value: list[Any] | dict[Any, Any]) -> str:
    """Of what is in a list or an object: values that JSON has, so deep, so long."""
    level: list[Any] = [value]
    for _ in range(DEPTH_MAX):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                if not all(isinstance(key, str) for key in each):
                    return "has a key that is no text"
                inner += each.values()
            elif isinstance(each, list):
                inner += each
            elif fault := _scalar_fault(each):
                return f"holds a value that {fault}"
        if not inner:
            break
        level = inner
    else:
        return f"is nested deeper than {DEPTH_MAX}"
    length = len(json_text(value))
    if length > LIST_CHARACTERS_MAX:
        return f"has {length} characters as JSON, {LIST_CHARACTERS_MAX} at most"
    return ""


def declared_params(spec: bytes) -> Declared:
    """What a job of these canonical bytes declares, for `check_params`."""
    shape = json.loads(spec)
    return Declared(shape.get("params", {}), shape.get("params_extra") == ALLOW)


def check_params(declared: Declared, given: object) -> bytes:
    """Canonical JSON of the values of one run, defaults filled in; dates are as they were written
    (`dated_params`).

    Raises JobError, with pointers into `given`.
    """
    params = declared.params
    if not isinstance(given, dict):
        raise JobError((Problem("", f"parameters are an object, not {type_name(given)}"),))
    if len(given) > PARAMS_MAX:
        detail = f"{len(given)} parameters; a job has {PARAMS_MAX} at most"
        raise JobError((Problem("", detail),))
    problems: list[Problem] = []
    values: dict[str, object] = {}
    for name in given:
        if name not in params and declared.takes_extra:
            if extra := _extra_fault(name, given, params):
                problems.append(Problem(pointer_of(name), *extra))
            else:
                values[name] = given[name]
        elif name not in params:
            near = difflib.get_close_matches(str(name)[:64], params, 1)
            known = ", ".join(sorted(params))[:400] or "none"
            hint = f"did you mean {near[0]}?" if near else f"declared: {known}"
            detail = f"the job declares no parameter {shortened(name)}"
            problems.append(Problem(pointer_of(name), detail, hint))
    for name in sorted(params):
        schema = params[name]
        if name in given:
            value = given[name]
            fault, hint = value_fault(schema["type"], value)
            choices = schema.get("enum")
            if fault:
                problems.append(Problem(pointer_of(name), f"{name} {fault}", hint))
            elif choices is not None and not _is_among(value, choices):
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


def _is_among(value: object, choices: Sequence[object]) -> bool:
    """`true` is not 1."""
    return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in choices)


def _extra_fault(
    name: object, given: Mapping[Any, object], params: Mapping[str, Any]
) -> tuple[str, str] | None:
    """What is wrong with a parameter that the job does not declare, and lets pass."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return "a parameter's name is letters, digits and _, 64 at most, and begins with no digit", ""
    others = (each for each in (*params, *given) if each != name and str(each).upper() == name.upper())
    if other := next(others, ""):
        return f"{name} and {other} would share the variable CRONCLAVE_PARAM_{name.upper()}", ""
    value = given[name]
    if not isinstance(value, str):
        return f"{name} is not declared and so must be text, not {type_name(value)}", "put it in quotes"
    fault = _scalar_fault(value)
    return (f"{name} {fault}", "") if fault else None


def dated_params(text: str, dated: tuple[tuple[str, str], ...], about: date_expressions.About) -> str:
    """The parameters of a run, with its dates counted. `dated`: those that are dates or instants, and their
    type. Raises `date_expressions.Undated`."""
    values = json.loads(text)
    for name, kind in dated:
        said = values.get(name)
        if not isinstance(said, str):
            continue
        try:
            if date_expressions.is_literal(said):
                values[name] = date_expressions.normal(kind, said)
            else:
                values[name] = date_expressions.evaluated(kind, said, about)
        except date_expressions.DateError as error:
            raise date_expressions.Undated(f"{name}: {error}") from error
        except date_expressions.Undated as error:
            raise date_expressions.Undated(f"{name} ({said}): {error}") from error
    return json_text(values).decode()
