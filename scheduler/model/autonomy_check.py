"""What the agent cannot judge alone, or what has to be asked of the cluster at the instant, excludes
autonomy: each is refused here by name."""

from __future__ import annotations

from typing import Any

from scheduler.model.job import Job
from scheduler.model.problems import Problem, pointer_of

OVERLAPS = ("skip", "allow")
_OVERLAP = "an agent that is alone judges skip and allow"


def autonomy_problems(job: Job) -> list[Problem]:
    """What of the job an agent that is alone could not keep."""
    if job.policies.autonomy is None:
        return []
    return [
        Problem(pointer_of(*place), f"autonomy excludes {what}: {why}", "remove it, or policies.autonomy")
        for place, what, why in (*_of_policies(job), *_of_tasks(job), *_of_triggers(job))
    ]


Found = list[tuple[tuple[str | int, ...], str, str]]


def _of_policies(job: Job) -> Found:
    policies = job.policies
    alone = "an agent that is alone cannot ask for it"
    asked: tuple[tuple[str, Any], ...] = (
        ("locks", policies.locks), ("admission", policies.admission), ("blackout", policies.blackout),
        ("failures", policies.failures),
    )  # fmt: skip
    found: Found = [(("policies", name), name, alone) for name, value in asked if value]
    if policies.on_lost != "wait":
        said = "no lease ends what it started alone"
        found.append((("policies", "on_lost"), f"on_lost: {policies.on_lost}", said))
    if policies.overlap not in OVERLAPS:
        found.append((("policies", "overlap"), "this overlap", _OVERLAP))
    said = "what a run begins with is fixed when it is made, which is later"
    if job.vars:
        found.append((("vars",), "vars", said))
    if job.requires:
        found.append((("requires",), "requires", alone))
    dates = ("date", "datetime", "duration")
    dated = [(name, param.type) for name, param in job.params.items() if param.type in dates]
    return found + [(("params", name), f"a {type_}", said) for name, type_ in dated]


def _of_tasks(job: Job) -> Found:
    if len(job.tasks) > 1 or job.groups or job.finally_:
        return [(("tasks",), "more than one task", "what follows is decided by the cluster")]
    ((name, task),) = job.tasks.items()
    found: Found = []
    if task.kind.happens != "agent":
        found.append((("tasks", name, task.kind.name), task.kind.name, "it happens on no agent"))
    given: tuple[tuple[str, Any], ...] = (
        ("fanout", task.fanout), ("async", task.asynchronous), ("locks", task.locks),
        ("secrets", task.secrets), ("when", task.when),
    )  # fmt: skip
    why = {"fanout": "it is one agent's", "secrets": "they never lie on an agent's disk in this version"}
    told = "it is decided by the cluster"
    return found + [(("tasks", name, each), each, why.get(each, told)) for each, value in given if value]


def _of_triggers(job: Job) -> Found:
    found: Found = []
    for place, trigger in enumerate(job.triggers):
        kind = trigger.kind.name
        if not trigger.kind.has_instants or trigger.kind.waits(trigger):
            found.append((("triggers", place), f"this trigger ({kind})", "an agent knows its instants alone"))
        elif trigger.overlap is not None and trigger.overlap not in OVERLAPS:
            found.append((("triggers", place, "overlap"), "this overlap", _OVERLAP))
    return found
