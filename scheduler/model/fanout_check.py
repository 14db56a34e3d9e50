"""Whether that is there over which tasks are divided: the parameter, or the output of a task before it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping

from scheduler.model.graph import Graph
from scheduler.model.members import OUTPUT, source_of
from scheduler.model.problems import Problem, pointer_of
from scheduler.model.scopes import Scopes
from scheduler.model.task import Task
from scheduler.model.when_check import ended_before

PROBLEMS_MAX = 100


def fanout_problems(
    tasks: Mapping[str, Task], params: Collection[str], groups: object, flow: Callable[[], Graph],
    last: tuple[str, ...] = (), *, extra: bool = False,
) -> list[Problem]:  # fmt: skip
    """What is wrong with it in these tasks, of which `last` begin when all others have ended: the first
    hundred. `flow`: what ends before what."""
    sources = {
        name: source
        for name, task in tasks.items()
        if task.fanout is not None
        and isinstance(task.fanout.foreach, str)
        and (source := source_of(task.fanout.foreach)) is not None
    }
    asked = {name: (task,) for name, (over, _, task) in sources.items() if over == OUTPUT}
    before = ended_before(flow(), asked, last) if asked else {}
    scopes = Scopes(groups) if asked else None
    problems = _inside(tasks, groups)
    for name, (over, key, task) in sources.items():
        if over == OUTPUT and scopes is not None:
            said = _of_output(name, key, task, tasks, scopes, before[name])
        else:
            is_known = extra or key in params
            said = None if is_known else (f"the job declares no parameter {key!r}", _near(key, params))
        if said is not None and len(problems) < PROBLEMS_MAX:
            problems.append(Problem(pointer_of("tasks", name, "fanout", "foreach"), *said))
    return problems


def _inside(tasks: Mapping[str, Task], groups: object) -> list[Problem]:
    """Each agent has a member of its own, a sticky group goes to one."""
    problems: list[Problem] = []
    for group, fields in groups.items() if isinstance(groups, Mapping) else ():
        inside = [*fields.get("tasks", ()), *(fields.get("catch") or ())] if fields.get("sticky") else []
        for name in inside:
            fanout = tasks[name].fanout
            if fanout is not None and fanout.all is not None:
                detail = f"its members are for an agent each, and group {group} is sticky: for one agent"
                hint = "take the task out of the group, or divide it over a list or a number"
                problems.append(Problem(pointer_of("tasks", name, "fanout", "all"), detail, hint))
    return problems[:PROBLEMS_MAX]


def _of_output(
    name: str, key: str, task: str, tasks: Mapping[str, Task], scopes: Scopes, before: frozenset[str]
) -> tuple[str, str] | None:
    if task not in tasks:
        return f"there is no task {task[:128]!r}", _near(task, tasks)
    there = scopes.of_task(task).group
    if there and there != scopes.of_task(name).group:
        return f"{task} is inside of group {there}, which is one box for what is outside", "divide it inside"
    if task not in before:
        return f"{task} may not have ended when {name} begins", f"add {task} to the needs of {name}"
    if key not in (tasks[task].outputs or ()):
        return f"{task} has no output {key!r}", f"outputs: [{key}] in {task} declares it"
    return None


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name[:128], list(known)[:1_000], 1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(list(known)[:10]) or 'none'}"
