"""A definition as a person writes it: without what is left to the defaults."""

from __future__ import annotations

import json
from typing import Any

from scheduler.model.defaults import FIELD, INHERITED, own_words
from scheduler.model.given import Given
from scheduler.model.job import Job, canonical
from scheduler.model.namespace import parse_namespace
from scheduler.model.objects import kind_of
from scheduler.model.objects.parsing import parse_object
from scheduler.model.parse import parse_job
from scheduler.model.problems import JobError
from scheduler.model.server_facts import definition_of
from scheduler.model.templates import Templates
from scheduler.model.unsaid import whole


def brief(spec: bytes, format: int) -> dict[str, Any]:
    """The job of these canonical bytes, without what may be left out; the whole where that would not be the
    same job to a state of this format."""
    shape = whole(spec)
    try:
        short = parse_job(shape, format=format).model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
        )
        if FIELD in shape or INHERITED in shape:  # others give the rest
            words = own_words(shape, short)
            return {name: words[name] for name in ("job", *words)}
        if canonical(parse_job(short, format=format), format=format) == spec:
            return {name: short[name] for name in ("job", *short)}
    except JobError:  # of an earlier version, which took what is refused today
        pass
    return shape


def resolved_anew(
    spec: bytes, given: Given | None, format: int, templates: Templates | None = None
) -> Job:
    """The job of these canonical bytes, under what its namespace and its template give now. Raises
    JobError."""
    words, shape = brief(spec, format), json.loads(spec)
    for field in (FIELD, INHERITED):
        if (told := shape.get(field)) is not None:
            # What the job said itself is remembered, whether a default met it or not.
            words[field] = {"own": told["own"], "off": told["off"]}
    return parse_job(words, format=format, defaults=lambda _: given, templates=templates)


def is_other(spec: bytes, anew: bytes) -> bool:
    """Whether a job does anything else; that it is told otherwise where its values come from is no change."""
    before, after = json.loads(spec), json.loads(anew)
    nowhere = {FIELD: None, INHERITED: None}
    return bool({**before, **nowhere} != {**after, **nowhere})


def brief_object(kind: str, spec: bytes) -> dict[str, Any]:
    """The object as a person writes it: without defaults, and without what was computed of it."""
    whole: dict[str, Any] = definition_of({"revision": 0, **json.loads(spec)})
    try:
        found = parse_object(kind_of(kind), whole).given
        short = found.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
        if parse_object(kind_of(kind), short).public() == found.public():
            return {name: short[name] for name in (kind, *short)}
    except JobError:  # of an earlier version, which took what is refused today
        pass
    return whole


def brief_namespace(name: str, spec: bytes) -> dict[str, Any]:
    """The same of what was said of a namespace."""
    whole: dict[str, Any] = json.loads(spec)
    try:
        found = parse_namespace(whole, name)
    except JobError:
        return whole
    short = found.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    if found.defaults is not None:  # also what would hold anyway: it is said
        short["defaults"] = found.defaults.given()
    return {"namespace": name, **short}
