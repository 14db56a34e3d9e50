"""From a document of any kind to what it describes, or to everything that is wrong with it; and to the log.

Rules of this file:

1. Exactly one field at the top says of which kind a document is, and its name: `job` as the others.
2. Nothing is ignored in silence, and all problems are told at once, as of jobs (`model.parse`).
3. The canonical text of an object is stored; equal objects have equal bytes, and it parses back to the same.
   What was computed of it stands in it under `computed`, which no document has.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from scheduler.model import notify, triggers
from scheduler.model.bounds import check_bounds
from scheduler.model.fields import type_name
from scheduler.model.given import Given
from scheduler.model.job import Job, prepare
from scheduler.model.known_dates import NO_CALENDARS, Calendars
from scheduler.model.known_schedules import NO_SCHEDULES, Schedules
from scheduler.model.named import Target, each_once
from scheduler.model.namespace import Namespace
from scheduler.model.notice import Notice
from scheduler.model.objects import NAMES, kind_of
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.parse import PLANNED, PROBLEMS_MAX, parse_job
from scheduler.model.problems import JobError, Problem, pointer_of, shortened
from scheduler.model.server_facts import definition_of
from scheduler.model.templates import Templates
from scheduler.model.translating import Vocabulary, field_names, translated
from scheduler.model.trigger import Trigger
from scheduler.words.commands import PreparedJob, PreparedObject
from scheduler.words.json_text import json_text

JOB = "job"
KINDS = (JOB, *NAMES)
PLURALS = {JOB: "jobs", **NAMES}
"""As paths call many of them."""
APART = {
    "namespace": "by itself: cronclave namespace apply FILE, or PUT /v1/namespaces/NAME",
    "secret": "by itself, so that no file holds it: cronclave secret put NAME, or PUT /v1/secrets/NAME",
}
"""How what stands beside the kinds is put."""
COMPUTED = "computed"
CANONICAL_BYTES_MAX = 500_000  #: of one object


_OF_NAMESPACES = frozenset(field_names(Namespace))


@dataclass(frozen=True, slots=True)
class Definition:
    """A checked object."""

    kind: Kind
    given: Described

    @property
    def namespace(self) -> str:
        return self.given.namespace

    @property
    def name(self) -> str:
        return self.given.name

    @property
    def refers(self) -> list[Target]:
        return self.given.refers()

    @property
    def zones(self) -> list[str]:
        return self.given.zones()

    def public(self) -> dict[str, Any]:
        return self.given.public()


def kind_name(document: object) -> str:
    """Of which kind a document is. Raises JobError."""
    if not isinstance(document, dict):
        raise JobError((Problem("", f"a document is an object, not {type_name(document)}"),))
    said = [name for name in KINDS if isinstance(document.get(name), str)]
    said = said or [name for name in KINDS if name in document]  # a job's `vars` are a list
    if JOB in said:
        return JOB  # it may have fields that are called as other kinds are
    if len(said) == 1:
        return said[0]
    if said:
        detail = f"{' and '.join(said)} exclude each other: a document is of one kind"
        raise JobError((Problem("", detail, "make a document of each"),))
    apart = "secret" if "secret" in document else "namespace" if document.keys() <= _OF_NAMESPACES else ""
    if apart and apart in document:
        detail = f"a {apart} is not applied together with jobs and objects"
        raise JobError((Problem("", detail, APART[apart]),))
    words = {word: name for name in NAMES for word in (name, *kind_of(name).other_words)}
    near = next((words[key] for key in map(str, document) if key in words), None)
    for key in document:
        near = near or next(iter(difflib.get_close_matches(str(key)[:60], KINDS, 1, 0.7)), None)
    hint = f"did you mean {near}?" if near else f"at its top stands one of {', '.join(KINDS)}, with its name"
    raise JobError((Problem("", "the document does not say what it is", hint),))


def computes(document: object) -> bool:
    """Whether to take it in may take long: something is computed of it."""
    if not isinstance(document, dict):
        return False
    return any(name in document and kind_of(name).computed is not None for name in NAMES)


def parse_document(
    document: object,
    *,
    namespace_default: str = "default",
    format: int | None = None,
    defaults: Callable[[str], Given | None] | None = None,
    templates: Templates | None = None,
) -> Job | Definition:
    """What a document of any kind describes, or one that GET gave; raises JobError."""
    data = definition_of(document) if isinstance(document, dict) else document
    data = _as_template(data) if isinstance(data, dict) and data.get("template") is True else data
    name = kind_name(data)
    if name == JOB:
        return parse_job(
            data, namespace_default=namespace_default, format=format, defaults=defaults, templates=templates
        )
    return parse_object(kind_of(name), data, namespace_default=namespace_default)


def _as_template(data: dict[Any, Any]) -> dict[Any, Any]:
    """A job with `template: true` is a template, and says so in the words of one."""
    about = {name: data[name] for name in ("namespace",) if name in data}
    gives = {name: value for name, value in data.items() if name not in ("job", "namespace", "template")}
    return {"template": data.get(JOB), **about, "gives": gives}


def parse_object(kind: Kind, data: object, *, namespace_default: str = "default") -> Definition:
    """The object of this kind that `data` describes; raises JobError with all its problems."""
    check_bounds(data)
    if not isinstance(data, dict):
        raise JobError((Problem("", f"a {kind.name} is an object, not {type_name(data)}"),))
    problems = [
        Problem("", f"{shortened(key)} is no field: names of fields are text")
        for key in data
        if not isinstance(key, str)
    ]
    shape = {key: value for key, value in data.items() if isinstance(key, str) and value is not None}
    shape.setdefault("namespace", namespace_default)
    given: Described | None = None
    try:
        given = kind.model.model_validate(shape)
    except ValidationError as error:
        words = _words(kind)
        problems += [
            translated(detail, words, lambda loc: pointer_of(*loc))
            for detail in error.errors(include_url=False)[:PROBLEMS_MAX]
        ]
    if given is not None:
        problems += given.faults()
        size = len(json_text(given.public()))
        if size > CANONICAL_BYTES_MAX:
            problems.append(Problem("", f"it has {size} bytes, {CANONICAL_BYTES_MAX} at most"))
    if problems or given is None:
        raise JobError(tuple(dict.fromkeys(problems)))
    return Definition(kind, given)


def _words(kind: Kind) -> Vocabulary:
    return Vocabulary(
        root=kind.model,
        said=f"the {kind.name}",
        planned={kind.model: kind.planned, Trigger: PLANNED[Trigger]},
        kinds={Trigger: triggers, Notice: notify},
    )


def prepare_document(
    parsed: Job | Definition,
    now_ms: int,
    if_revision: int | None = None,
    *,
    format: int | None = None,
    given: Given | None = None,
    calendars: Calendars = NO_CALENDARS,
    schedules: Schedules = NO_SCHEDULES,
) -> PreparedJob | PreparedObject:
    """For an Apply command. What is computed, is so here."""
    if isinstance(parsed, Job):
        return prepare(
            parsed, now_ms, if_revision,
            format=format, given=given, calendars=calendars, schedules=schedules,
        )  # fmt: skip
    return prepare_object(parsed, now_ms, if_revision)


def prepare_object(parsed: Definition, now_ms: int, if_revision: int | None = None) -> PreparedObject:
    """For an Apply command. What is computed, is so here: raises JobError where that cannot be."""
    shape = parsed.public()
    if parsed.kind.computed is not None:
        shape[COMPUTED] = parsed.kind.computed(parsed.given, now_ms)
    pin = "" if parsed.kind.pin is None else parsed.kind.pin(shape)
    per_day = 0 if parsed.kind.per_day is None else parsed.kind.per_day(parsed.given)
    return PreparedObject(
        parsed.kind.name,
        parsed.namespace,
        parsed.name,
        json_text(shape),
        json_text(parsed.given.labels).decode(),
        each_once(parsed.refers),
        if_revision,
        pin,
        per_day,
    )
