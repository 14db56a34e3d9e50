"""Whether the parameters of a job, and the values that its triggers give, mean something together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scheduler.model import triggers as kinds
from scheduler.model.date_expressions import asks_for_workdays
from scheduler.model.job import Job
from scheduler.model.param_values import NAME, check_params
from scheduler.model.problems import JobError, Problem, pointer_of


def param_problems(params: dict[Any, Any], triggers: Sequence[Any]) -> list[Problem]:
    problems = []
    given = [
        trigger.get("params") if isinstance(trigger, dict) else None
        for trigger in triggers
        if not _brings_params(trigger)
    ]
    by_variable: dict[str, str] = {}
    for name, param in params.items():
        pointer = pointer_of("params", name)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            detail = "a parameter's name is letters, digits and _, 64 at most, and begins with no digit"
            problems.append(Problem(pointer, detail))
            continue
        other = by_variable.setdefault(name.upper(), name)
        if other != name:
            detail = f"{name} and {other} would share the variable CRONCLAVE_PARAM_{name.upper()}"
            problems.append(Problem(pointer, detail))
        is_given = all(isinstance(values, dict) and name in values for values in given)
        if isinstance(param, dict) and param.get("required") is True and not is_given:
            detail = f"{name} is required, but a tick of a trigger gives none"
            hint = "give it a default, or a value in `params` of each trigger, or remove the triggers"
            problems.append(Problem(pointer, detail, hint))
    return problems


def _brings_params(trigger: object) -> bool:
    """Whether what it waits for may give what it does not."""
    if not isinstance(trigger, dict):
        return False
    return any(kind.brings_params and trigger.get(kind.name) is not None for kind in kinds.KINDS)


def given_by_triggers(job: Job, pointer_at: Callable[[int], str]) -> list[Problem]:
    """What is wrong with the values that its triggers give."""
    problems: list[Problem] = []
    if all(trigger.params is None for trigger in job.triggers):
        return problems
    declared = job.declared
    for place, trigger in enumerate(job.triggers):
        if trigger.params is None:
            continue
        brings = trigger.kind.brings_params
        asked = {name: {**each, "required": False} for name, each in declared.params.items()}
        try:
            check_params(declared._replace(params=asked) if brings else declared, trigger.params)
        except JobError as error:
            at = pointer_at(place) + pointer_of("params")
            problems += [Problem(at + each.pointer, each.detail, each.hint) for each in error.problems]
    return problems


def brought_by_triggers(job: Job, pointer_at: Callable[[int], str]) -> list[Problem]:
    """What of that which its triggers bring finds no param that can take it."""
    problems: list[Problem] = []
    for place, trigger in enumerate(job.triggers):
        at = pointer_at(place)
        for name, type_ in trigger.kind.brings(trigger).items():
            hint = f"params: {{{name}: {{type: {type_}}}}}"
            param = job.params.get(name)
            if param is None:
                problems.append(Problem(at, f"{name} takes what it brings, and is no param of the job", hint))
            elif param.type != type_ or param.enum is not None:
                is_one = "has values of its own (enum)" if param.type == type_ else f"is a {param.type}"
                problems.append(Problem(at, f"{name} takes what it brings, a {type_}, and {is_one}", hint))
            elif name in (trigger.params or {}):
                detail = f"{name} takes what it brings: a value beside that means nothing"
                problems.append(Problem(at + pointer_of("params", name), detail, f"remove {name}"))
    return problems


def dates_without_calendar(job: Job, pointer_at: Callable[[int], str]) -> list[Problem]:
    """Parameters that count workdays, where nothing says which those are."""
    if job.policies.calendar is not None or not job.params:
        return []
    said: list[tuple[str, str, Any]] = [
        (pointer_of("params", name, "default"), name, param.default) for name, param in job.params.items()
    ]
    for place, trigger in enumerate(job.triggers):
        at = pointer_at(place) + pointer_of("params")
        said += [(at + pointer_of(name), name, value) for name, value in (trigger.params or {}).items()]
    detail = "no calendar says which days are workdays"
    hint = "name one: policies: {calendar: NAME}"
    return [
        Problem(pointer, detail, hint)
        for pointer, name, value in said
        if name in job.params and asks_for_workdays(job.params[name].type, value)
    ]
