"""From a request's body to a job: JSON or YAML, checked by the model; all its problems in one reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from api import access
from api.call import Call, json_type, parse_json, refuse_half_pairs
from api.jobs.asking import KINDS, unmet
from api.problems import FieldError, Problem, from_job_problems
from api.references import need_nameable
from api.templates import readable_templates
from scheduler.model import Job, JobError, parse_job
from scheduler.model.known_dates import NO_CALENDARS, Calendars
from scheduler.model.objects.parsing import JOB
from scheduler.model.problems import Problem as JobProblem
from scheduler.model.server_facts import definition_of
from scheduler.model.trigger_check import spent_problem
from scheduler.store.tables.refs import Named

JSON_TYPES = frozenset({"", "application/json", "text/json", "application/x-www-form-urlencoded"})
YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})

YAML_VALUES_MAX = 100_000  #: of a body: a third of a second
PLACED_BYTES_MAX = 64 << 10  #: a larger body's mistakes are told by their pointers alone: places take long


def _media(call: Call) -> str:
    return call.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_yaml(call: Call) -> bool:
    return _media(call) in YAML_TYPES


def documents(call: Call, what: str = "job") -> list[Any]:
    """The documents of the body: one for JSON, one or more for YAML."""
    media, yaml = _media(call), _is_yaml(call)
    if not yaml and media not in JSON_TYPES and not media.endswith("+json"):
        raise Problem("unsupported-media-type", f"{media[:100]!r} is neither JSON nor YAML",
                      hint="Send application/json or application/yaml.")  # fmt: skip
    if not call.body.strip():
        raise Problem(
            "empty-body", f"a {what} was expected and nothing came", hint=f"Send the {what} as a JSON object."
        )
    if not yaml:
        return [parse_json(call.body)]
    from scheduler.model.documents import load_yaml  # ruamel costs start-up time: only where YAML is sent

    try:
        text = call.body.decode()
    except UnicodeDecodeError as error:
        raise Problem("not-yaml", f"the body is not UTF-8: byte {error.start}") from None
    try:
        found = load_yaml(text, "body", values_max=YAML_VALUES_MAX, placed=False)
    except JobError as error:
        problem = from_job_problems(error.problems, what="the YAML")
        raise Problem("not-yaml", problem.detail, hint=problem.hint, errors=problem.errors) from None
    refuse_half_pairs([document.data for document in found])
    return [document.data for document in found]


def one_document(call: Call, what: str = "job") -> dict[str, Any]:
    found = documents(call, what)
    if len(found) != 1:
        detail = f"one {what} was expected, not {len(found)}"
        raise Problem("validation", detail, hint="cronclave apply, or POST /v1/apply, takes many.")
    if not isinstance(found[0], dict):
        detail = f"a {what} is an object, not {json_type(found[0])}"
        raise Problem("validation", detail, errors=[FieldError("", detail)])
    return found[0]


def need_unspent(
    given: Sequence[Any], jobs: Sequence[Job], places: object, now_ms: int, pointers: Sequence[str] = ("",),
    *, calendars: Calendars = NO_CALENDARS,
) -> None:  # fmt: skip
    """Raises the Problem of the triggers at these (job, trigger), which are new and fire only in the past.
    `given`: the documents of the jobs; `pointers`: where they stand in the body."""
    problems = []
    for number, trigger in places if isinstance(places, list | tuple) else ():
        listed = isinstance(definition_of(given[number]).get("triggers"), list)
        problem = spent_problem(jobs[number], trigger, now_ms, listed=listed, calendars=calendars)
        problems.append(problem.below(pointers[number]))
    if problems:
        raise from_job_problems(problems)


def to_job(call: Call, document: dict[str, Any], *, name: str | None = None) -> Job:
    """The job of this document; `name` (from the path) must be its own, or is filled in."""
    data = definition_of(document)
    if name is not None:
        if "job" not in data:
            data = {**data, "job": name}
        elif isinstance(data["job"], str) and data["job"] != name:
            detail = f"the body's job is {data['job'][:100]!r}, the path's {name[:100]!r}"
            raise Problem(
                "validation", detail, hint="A job keeps its name.", errors=[FieldError("/job", detail)]
            )
    asked = call.query.get("namespace")
    if asked and isinstance(data.get("namespace"), str) and data["namespace"] != asked:
        detail = f"the body's namespace is {data['namespace'][:100]!r}, the query's {asked[:100]!r}"
        raise Problem("validation", detail, errors=[FieldError("/namespace", detail)])
    try:
        return parse_writable(call, data)
    except JobError as error:
        raise from_job_problems(placed(call, error.problems)) from None


def placed(call: Call, problems: Sequence[JobProblem]) -> Sequence[JobProblem]:
    """With the place of each mistake, where the body is YAML that a person may have written."""
    if not _is_yaml(call) or len(call.body) > PLACED_BYTES_MAX:
        return problems
    from scheduler.model.documents import load_yaml

    (document,) = load_yaml(call.body.decode(), "body", values_max=YAML_VALUES_MAX)
    return [replace(problem, where=document.where(problem.pointer)) for problem in problems]


def parse_writable(call: Call, data: object) -> Job:
    """The job of this document, if the caller may write it. Raises JobError, and Problem where the caller may
    not. Whether a trigger comes at all is judged with what the job has already (`need_unspent`)."""
    job = parse_job(
        data, namespace_default=call.namespace, format=call.scheduler.status().format, defaults=call.defaults,
        templates=readable_templates(call),
    )  # fmt: skip
    call.need(access.EDIT, namespace=job.namespace)
    refers = job.refers
    need_nameable(call, Named(JOB, job.namespace, job.name), refers)
    if any(target.kind in KINDS for target in refers):
        with call.scheduler.read() as store:
            problems = unmet(store, job, {})
        if problems:
            raise JobError(tuple(problems))
    return job
