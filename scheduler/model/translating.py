"""From pydantic's errors to Problems: the place, in plain words, with the near miss and a way out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from scheduler.model.fields import type_name
from scheduler.model.problems import Problem, Refused, pointer_of, shortened
from scheduler.model.server_facts import SERVER_FACTS

Loc = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What is known of a document of one kind beside its model."""

    root: type[BaseModel]
    said: str  #: as its mistakes call the whole of it: "the job"
    planned: Mapping[type[BaseModel], tuple[str, ...]] = field(default_factory=dict)
    """Fields that this version does not know how to honour."""
    kinds: Mapping[type[BaseModel], ModuleType] = field(default_factory=dict)
    """Where exactly one of several kinds is given."""
    also: tuple[str, ...] = ()  #: fields that it may have at the top, though another model names them


def field_names(model: type[BaseModel]) -> tuple[str, ...]:
    """The public names of a model's fields."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def translated(error: Any, words: Vocabulary, pointer_at: Callable[[Loc], str]) -> Problem:
    """A Problem from one of pydantic's error records. `pointer_at`: where a place of the model stands in what
    was given."""
    loc = [part for part in error["loc"] if part != "[key]"]
    if loc[:1] == ["enum"]:
        loc = loc[1:]
    if len(loc) > 3 and loc[0] == "params" and loc[2] in ("default", "enum"):
        loc = loc[:3]  # below are the branches of a union, not places in the input
    pointer = pointer_at(loc)
    kind, context = error["type"], error.get("ctx", {})
    name, got = (str(loc[-1]) if loc else words.said), type_name(error.get("input"))
    if isinstance(refused := context.get("error"), Refused):
        return Problem(pointer + pointer_of(*refused.at), refused.detail, refused.hint)
    if kind == "extra_forbidden":
        return _unknown_field(pointer, loc, words)
    if kind == "missing":
        return Problem(pointer, f"{name} is required")
    if kind == "literal_error":
        return _not_among(pointer, name, str(context.get("expected", "")), error.get("input"), words)
    expected = {
        "string_type": "text",
        "int_type": "an integer",
        "float_type": "a number",
        "bool_type": "true or false",
        "dict_type": "an object",
        "model_type": "an object",
        "model_attributes_type": "an object",
        "tuple_type": "a list",
    }.get(kind)
    if expected is not None:
        hint = "put it in quotes" if expected == "text" and got in ("a number", "a boolean") else ""
        if expected == "an object" and (model := _model_at(words.root, loc)) is not None and loc:
            hint = f"its fields: {', '.join(field_names(model))}"
        if len(loc) > 1 and isinstance(loc[-1], int):
            name = f"item {loc[-1]}"
        return Problem(pointer, f"{name} must be {expected}, not {got}", hint)
    if kind == "too_long":
        return Problem(pointer, f"{name} has more than {context.get('max_length')} entries")
    if kind == "string_too_long":
        return Problem(pointer, f"{name} is longer than {context.get('max_length')} characters")
    if kind in ("too_short", "string_too_short"):
        return Problem(pointer, f"{name} is empty")
    if kind in ("greater_than_equal", "less_than_equal"):
        limit = context.get("ge", context.get("le"))
        side = "at least" if "ge" in context else "at most"
        return Problem(pointer, f"{name} must be {side} {limit}, not {shortened(error.get('input'))}")
    return Problem(pointer, f"{name}: {error['msg']}")


def _unknown_field(pointer: str, loc: Loc, words: Vocabulary) -> Problem:
    name = str(loc[-1])
    model = _model_at(words.root, loc[:-1])
    if model is None:
        return Problem(pointer, f"unknown field {shortened(name)}")
    planned, kinds = words.planned.get(model, ()), words.kinds.get(model)
    if name in planned:
        hint = f"give {kinds.ONE_OF}" if kinds and name in kinds.PLANNED else "remove it"
        return Problem(pointer, f"{name} is not available in this version", hint)
    if model is words.root and name in SERVER_FACTS:
        what = words.said.removeprefix("the ")
        hint = f"remove it; a {what} that GET gave may be sent back whole, with its revision"
        return Problem(pointer, f"{name} is told by the server and cannot be set", hint)
    meant = kinds.kind_meant(name) if kinds else None
    known = list(field_names(model))
    if model is words.root:
        known += words.also
    if meant is None:
        by_fold = {candidate.casefold(): candidate for candidate in (*known, *planned)}
        near = difflib.get_close_matches(name[:60].casefold(), by_fold, 1, 0.6)
        meant = by_fold[near[0]] if near else None
    hint = f"did you mean {meant}?" if meant else f"known here: {', '.join(known)}"
    return Problem(pointer, f"unknown field {shortened(name)}", hint)


def _not_among(pointer: str, name: str, expected: str, value: object, words: Vocabulary) -> Problem:
    choices = re.findall(r"'([^']*)'", expected) or [expected]
    near = difflib.get_close_matches(value[:60], choices, 1) if isinstance(value, str) else []
    hint = f"did you mean {near[0]}?" if near else ""
    if choices == ["True"]:
        choices = ["true"]
    said = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return Problem(pointer, f"{name} must be {said}, not {shortened(value)}", hint)


def _model_at(root: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """The model whose fields stand at this place."""
    here: Any = root
    for part in loc:
        here = _below(here, part)
    return next((kind for kind in _branches(here) if _is_model(kind)), None)


def _below(hint: Any, part: str | int) -> Any:
    for kind in _branches(hint):
        if _is_model(kind):
            for name, known in kind.model_fields.items():
                if part in (name, known.alias):
                    return known.annotation
        elif get_origin(kind) is dict:
            return get_args(kind)[1]
        elif get_origin(kind) is tuple and isinstance(part, int):
            return get_args(kind)[0]
    return None


def _branches(hint: Any) -> Iterator[Any]:
    """The types that a value may have here."""
    if get_origin(hint) is Annotated:
        yield from _branches(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for each in get_args(hint):
            yield from _branches(each)
    else:
        yield hint


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
