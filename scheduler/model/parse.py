"""From data (JSON or YAML values) to a Job, or to everything that is wrong with it.

Rules of this file:

1. Nothing is ignored in silence: an unknown field is refused with the near miss, one that is planned says so.
2. All problems are reported at once. What concerns the whole job (the graph, repeated triggers) is judged
   also while fields are wrong, as far as the shape allows.
3. Pointers lead into what was given: the short form's problems are at the top, not in the task `main`.
4. The input is bounded before it is judged (`bounds`), and so is what is told of it: a job may be as wrong as
   it likes, judging it costs no more than a right one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from scheduler.model import notify, triggers, work
from scheduler.model.admission import Admission, Blackout, GroupAdmission
from scheduler.model.autonomy import Autonomy
from scheduler.model.autonomy_check import autonomy_problems
from scheduler.model.bounds import TASKS_MAX, check_bounds, check_parts
from scheduler.model.dating import TriggerDays, Workday
from scheduler.model.defaults import FIELD, INHERITED, Origins, fill, sent_back
from scheduler.model.ends import LOST, Again, ExitClasses, Retry
from scheduler.model.expect import AtLeast, Expect, ExpectedDuration
from scheduler.model.fanout import Fanout
from scheduler.model.fanout_check import fanout_problems
from scheduler.model.fields import type_name
from scheduler.model.finally_ import finally_problems, named_last
from scheduler.model.given import Given
from scheduler.model.graph import graph_problems
from scheduler.model.group import Group, Repeat
from scheduler.model.group_check import combined, group_problems
from scheduler.model.inheriting import inherit
from scheduler.model.job import CANONICAL_BYTES_MAX, Job, canonical
from scheduler.model.lock import Lock, Within, lock_problems, never_taken
from scheduler.model.named import resolved
from scheduler.model.newer import given
from scheduler.model.notice import Notice
from scheduler.model.outputs import output_problems
from scheduler.model.overlap import OverlapLimit, key_problems
from scheduler.model.param_check import param_problems
from scheduler.model.param_values import ALLOW
from scheduler.model.params import Param
from scheduler.model.placement import Placement
from scheduler.model.policies import Catchup, Policies, Retention
from scheduler.model.problems import JobError, Problem, pointer_of, shortened
from scheduler.model.requires import Check, Requirement, RequiresPolicy
from scheduler.model.same_as import same_as_problems
from scheduler.model.scopes import Scopes
from scheduler.model.secret import Secret
from scheduler.model.sticky import sticky_problems
from scheduler.model.task import Task
from scheduler.model.task_limits import Limits
from scheduler.model.templates import Templates, long_form, pin_of
from scheduler.model.translating import Vocabulary, field_names, translated
from scheduler.model.trigger import Trigger
from scheduler.model.trigger_check import trigger_problems
from scheduler.model.when_check import when_problems

PROBLEMS_MAX = 100

PLANNED: dict[type[BaseModel], tuple[str, ...]] = {
    Job: ("calendars",),
    Trigger: ("max_active", *triggers.PLANNED),
    TriggerDays: (),
    Workday: (),
    Policies: ("active",),
    Autonomy: (),
    Task: work.PLANNED,
    Fanout: (),
    Group: (),
    Repeat: (),
    Again: (),
    Placement: (),
    Limits: ("cpu",),
    Secret: (),
    Lock: (),
    Retry: (),
    ExitClasses: (),
    Catchup: (),
    Retention: (),
    Param: (),
    Origins: (),
    Admission: (),
    GroupAdmission: (),
    Blackout: (),
    OverlapLimit: (),
    Requirement: (),
    Check: (),
    RequiresPolicy: (),
    Expect: (),
    ExpectedDuration: (),
    AtLeast: (),
}
"""Fields of the job semantics that this version does not know how to honour."""

TASK_FIELDS = field_names(Task)
JOB_FIELDS = field_names(Job)
_SECTIONS = (
    "labels", "triggers", "policies", "params", "params_extra", "vars", "notify", "requires",
    "requires_policy", "description", "owner", "enabled", "finally", "groups", "expect",
)  # fmt: skip
"""Of which null says the same as nothing."""
_BETWEEN_TASKS = frozenset(("groups", "finally"))
_OF_OTHERS = frozenset(("needs", "when", "outputs"))
_SHORT = frozenset((*TASK_FIELDS, *PLANNED[Task])) - {"job"}
_WORDS = Vocabulary(
    root=Job,
    said="the job",
    planned=PLANNED,
    kinds={Job: work, Task: work, Trigger: triggers, Notice: notify},
    also=TASK_FIELDS,
)


def parse_job(
    data: object,
    *,
    namespace_default: str = "default",
    format: int | None = None,
    defaults: Callable[[str], Given | None] | None = None,
    templates: Templates | None = None,
) -> Job:
    """The job that `data` describes; raises JobError with all its problems.

    `defaults` gives those of a namespace (`model.defaults`), `templates` what a job extends; without them the
    job is taken as it stands.
    With the state's `format`, what needs a newer one is refused too. Nothing here knows the time: a new
    trigger that fires only in the past is refused by the state, which knows which are new (`machine.spent`).
    """
    check_bounds(data)
    if not isinstance(data, dict):
        raise JobError((Problem("", f"a job is an object, not {type_name(data)}"),))
    shape, short, problems = _normalised(data, namespace_default)
    check_parts(shape, short=short)
    if shape.pop("template", None) not in (None, False):
        hint = "apply it (cronclave apply FILE), or PUT /v1/templates/NAME with what it gives"
        problems.append(Problem("/template", "a template is no job", hint))
    namespace, taken = shape["namespace"], list[str]()
    inherited, took = list[str](), None
    if isinstance(shape.get("extends"), str) and isinstance(namespace, str):
        shape, inherited, took = _with_template(shape, namespace, templates)
        short = short and set(shape.get("tasks") or {}) <= {"main"}
        if not shape.get("tasks"):
            detail = "neither the job nor its template has work"
            problems.append(Problem("", detail, f"give {work.ONE_OF_SHORT}"))
    elif isinstance(shape.get(INHERITED), dict):
        hint = "say `extends` as it was, or take `inherited` out, and with it what the job is not to keep"
        problems.append(Problem("/extends", "what it took of a template would become its own words", hint))
    if defaults is not None and isinstance(namespace, str):
        shape, taken = _with_defaults(shape, defaults(namespace))
    job: Job | None = None
    try:
        job = Job.model_validate(shape).given(short=short, took=took)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems += [
            translated(detail, _WORDS, lambda loc: _pointer(loc, short, data))
            for detail in found[: PROBLEMS_MAX + 1]
        ]
    problems += _whole_job_problems(shape, short, data)
    if format is not None:
        problems += [_too_new(place, needed, format, short, data) for place, needed in given(shape, format)]
    if job is not None and not problems:
        problems += trigger_problems(job, lambda *place: _pointer(place, False, data))
        problems += _needless_policy(job)
        problems += _repeated_notices(job) if job.notify else []
        problems += _repeated_vars(job) if job.vars else []
        of_tasks = {name: task.locks for name, task in job.tasks.items() if task.locks}
        of_groups = [
            Within(name, group.locks, (*group.tasks, *(group.catch or ())))
            for name, group in (job.groups or {}).items()
            if group.locks
        ]
        if of_tasks or of_groups or job.policies.locks:
            of_job = job.policies.locks or ()
            wrong = lock_problems(job.namespace, of_job, of_tasks, of_groups)
            placed = frozenset(name for name, task in job.tasks.items() if task.kind.happens == "agent")
            wrong += never_taken(of_job, of_groups, placed)
            problems += [_of_task(each, short) for each in wrong]
        problems += sticky_problems(job.tasks, job.groups) if job.groups else []
        problems += _lost_in_vain(job, short, data)
        extra = job.params_extra == ALLOW
        problems += [] if extra else key_problems(job.policies.overlap, job.params)
        in_turn = same_as_problems(job.tasks, job.flow, job.finally_ or ())
        spread = fanout_problems(
            job.tasks, job.params, shape.get("groups"), job.flow, job.finally_ or (), extra=extra
        )
        problems += [_of_task(each, short) for each in (*in_turn, *spread, *autonomy_problems(job))]
        size = len(canonical(job, format=format))
        if size > CANONICAL_BYTES_MAX:
            detail = f"the job has {size} bytes without defaults, {CANONICAL_BYTES_MAX} at most"
            hint = "keep long scripts in files on the agents, or make several jobs of it"
            problems.append(Problem("", detail, hint))
    if inherited and problems:
        said = f"template {shape['extends']} says so: the job may say otherwise"
        problems = _said_by(problems, inherited, said, short=short)
    if taken and problems:
        problems = _of_defaults(problems, taken, str(namespace), short=short)
    if problems or job is None:
        unique = tuple(dict.fromkeys(problems))
        if len(unique) > PROBLEMS_MAX:
            more = Problem("", "and more problems")
            unique = (*unique[:PROBLEMS_MAX], more)
        raise JobError(unique)
    return job


def _of_task(problem: Problem, short: bool) -> Problem:
    """In the short form the one task's fields stand at the top."""
    return replace(problem, pointer=problem.pointer.removeprefix("/tasks/main")) if short else problem


def _normalised(data: dict[Any, Any], namespace: str) -> tuple[dict[str, Any], bool, list[Problem]]:
    """The long form, whether it was the short one, and what is wrong with the form itself."""
    problems = []
    shape: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(key, str):
            shape[key] = value
        else:
            problems.append(Problem("", f"{shortened(key)} is no field: names of fields are text"))
    if shape.get("namespace") is None:
        shape["namespace"] = namespace
    if isinstance(shape.get("triggers"), dict):
        shape["triggers"] = [shape["triggers"]]
    if None in shape.values():
        for section in _SECTIONS:
            if section in shape and shape[section] is None:
                del shape[section]
    tasks = shape.get("tasks")
    extends = isinstance(shape.get("extends"), str)
    short_fields = [key for key in shape if key in _SHORT]
    if "tasks" in shape and tasks is not None:
        for key in short_fields:
            del shape[key]
            hint = "a job with tasks has it inside of one"
            if key == "timeout":
                hint += "; policies.timeout limits the whole run"
            problems.append(Problem(pointer_of(key), f"{key} is a task's field", hint))
        if isinstance(tasks, dict) and not tasks and not extends:
            problems.append(Problem("/tasks", "the job has no work", "give at least one task"))
        return shape, False, problems
    shape.pop("tasks", None)
    if extends and not short_fields:
        return shape, True, problems
    if "groups" in shape:
        del shape["groups"]
        problems.append(Problem("/groups", "a job of one task has no groups", "remove it, or give tasks"))
    task = {key: shape.pop(key) for key in short_fields}
    if not extends and not any(key in work.NAMES or key in work.PLANNED for key in short_fields):
        problems.append(Problem("", "the job has no work", f"give {work.ONE_OF_SHORT}, or tasks"))
        task[work.KINDS[0].name] = work.KINDS[0].example  # a stand-in: the fields beside it are judged
    shape["tasks"] = {"main": task}
    return shape, True, problems


def _with_defaults(shape: dict[str, Any], given: Given | None) -> tuple[dict[str, Any], list[str]]:
    """The long form with what its namespace gives, and what it took of that."""
    shape, said = sent_back(shape, {} if given is None else given.shape)
    if given is None:
        return shape, []
    origins = fill(shape, given.shape, said)
    if any(origins.values()):
        shape[FIELD] = origins
    return shape, origins["taken"]


def _stood_in(task: Any) -> Any:
    """With work, where it says none."""
    is_without = isinstance(task, dict) and task.keys().isdisjoint(work.NAMES)
    return {work.KINDS[0].name: work.KINDS[0].example, **task} if is_without else task


def _with_template(
    shape: dict[str, Any], namespace: str, templates: Templates | None
) -> tuple[dict[str, Any], list[str], tuple[str, str, str] | None]:
    """The long form with what its template gives, what it took of that, and of which template."""
    if templates is None:  # what it would give is not known here: the rest is judged
        tasks = shape.get("tasks") or {"main": {}}
        if isinstance(tasks, dict):
            shape["tasks"] = {name: _stood_in(task) for name, task in tasks.items()}
        return shape, [], None
    named = resolved(shape["extends"], namespace)
    given = templates(*named)
    if given is None:
        detail = f"there is no template {'/'.join(named)[:200]}"
        raise JobError((Problem("/extends", detail, "cronclave template list shows them"),))
    gives = long_form(given, _SHORT, work.NAMES)
    shape, said = sent_back(shape, gives, INHERITED)
    origins = inherit(shape, gives, said, work.NAMES, _SHORT)
    if any(origins.values()):
        shape[INHERITED] = origins
    return shape, origins["taken"], (*named, pin_of(given))


def _of_defaults(
    problems: list[Problem], taken: Sequence[str], namespace: str, *, short: bool
) -> list[Problem]:
    """The job does not say what is wrong there: its namespace does."""
    said = f"the defaults of namespace {namespace} say so: the job may say otherwise"
    return _said_by(problems, taken, said, short=short)


def _said_by(
    problems: list[Problem], taken: Sequence[str], said: str, *, short: bool
) -> list[Problem]:
    places = {pointer.removeprefix("/tasks/main") if short else pointer for pointer in taken}
    return [
        replace(problem, hint=f"{problem.hint}; {said}" if problem.hint else said)
        if any(place == problem.pointer or place.startswith(f"{problem.pointer}/") for place in places)
        and problem.pointer
        else problem
        for problem in problems
    ]


def _pointer(loc: Sequence[str | int], short: bool, data: dict[Any, Any]) -> str:
    place = list(loc)
    if short and place[:2] == ["tasks", "main"]:
        place = place[2:]
    if place[:2] == ["triggers", 0] and isinstance(data.get("triggers"), dict):
        place = ["triggers", *place[2:]]
    return pointer_of(*place)


def _too_new(
    place: Sequence[str | int], needed: int, format: int, short: bool, data: dict[Any, Any]
) -> Problem:
    return Problem(
        _pointer(place, short, data),
        f"{place[-1]} needs format {needed}, and the cluster is at format {format}",
        "leave it out, or activate the format once every node runs this version: cronclave cluster activate",
    )


def _whole_job_problems(shape: dict[str, Any], short: bool, data: dict[Any, Any]) -> list[Problem]:
    """What concerns several fields together, as far as the shape allows to tell."""
    problems: list[Problem] = []
    tasks = shape.get("tasks")
    if isinstance(tasks, dict) and len(tasks) <= TASKS_MAX and not _is_plain(shape, tasks, short=short):
        graph = {}
        for name, task in tasks.items():
            needs = task.get("needs") if isinstance(task, dict) else None
            named = needs if isinstance(needs, list | tuple) else ()
            if isinstance(name, str):
                graph[name] = [need for need in named if isinstance(need, str)]
        groups = shape.get("groups")
        scopes = Scopes(groups)
        if short:
            if graph.get("main"):
                detail = "a job of one task has no other to wait for"
                problems.append(Problem("/needs", detail, "remove needs"))
        else:
            problems += group_problems(graph, scopes, groups) if isinstance(groups, dict) else []
            problems += graph_problems(combined(graph, groups), scopes.tasks)
        last = named_last(shape.get("finally"))
        has_vars, boxes = bool(shape.get("vars")), combined(graph, groups)
        problems += finally_problems(last, boxes, scopes)
        problems += output_problems(tasks, short=short)
        conditions = when_problems(
            tasks, boxes, scopes, groups, shape.get("params"), has_vars=has_vars, last=last,
            extra=shape.get("params_extra") == ALLOW,
        )
        problems += [replace(each, pointer="/when") if short else each for each in conditions]
    params = shape.get("params")
    if isinstance(params, dict):
        triggers = shape.get("triggers")
        problems += param_problems(params, triggers if isinstance(triggers, list | tuple) else ())
    return problems


def _is_plain(shape: dict[str, Any], tasks: dict[Any, Any], *, short: bool) -> bool:
    """One task, and nothing that could be wrong between tasks."""
    return short and _BETWEEN_TASKS.isdisjoint(shape) and _OF_OTHERS.isdisjoint(tasks.get("main") or ())


def _lost_in_vain(job: Job, short: bool, data: dict[Any, Any]) -> list[Problem]:
    detail = "a lost attempt may have done its work, so policies.on_lost says whether it is tried again"
    hint = "add policies: {on_lost: retry, idempotent: true}, or remove lost"
    return [
        Problem(_pointer(["tasks", name, "retry", "on"], short, data), detail, hint)
        for name, task in job.tasks.items()
        if task.retry is not None and LOST in (task.retry.on or ()) and job.policies.on_lost != "retry"
    ]


def _needless_policy(job: Job) -> list[Problem]:
    if job.requires_policy is None:
        return []
    most, need = len(job.requires or ()), job.requires_policy.need
    if not most:
        return [Problem("/requires_policy", "the job requires nothing", "give requires, or remove it")]
    if isinstance(need, int) and need > most:
        detail = f"{need} of {most} can never be met"
        return [Problem("/requires_policy/need", detail, f"1 to {most}, or all")]
    return []


def _repeated_notices(job: Job) -> list[Problem]:
    problems = []
    told: dict[tuple[str, str, str], int] = {}
    for i, notice in enumerate(job.notify):
        way, said = notice.way, getattr(notice, notice.way)
        targets = said if isinstance(said, tuple) else (said,)
        for place, about in enumerate(notice.on):
            for target in targets:
                first = told.setdefault((way, target, about), i)
                if first != i:
                    detail = f"notice {first} tells {target} of {about} already: it would hear of it twice"
                    pointer = pointer_of("notify", i, "on", place)
                    problems.append(Problem(pointer, detail, "remove one of the two"))
    return problems


def _repeated_vars(job: Job) -> list[Problem]:
    problems = []
    named: dict[tuple[str, str], int] = {}
    for i, target in enumerate(each for each in job.refers if job.vars and each.kind == "vars"):
        first = named.setdefault((target.namespace, target.name), i)
        if first != i:
            problems.append(Problem(target.pointer, f"it is number {first} already", "remove one of the two"))
    return problems
