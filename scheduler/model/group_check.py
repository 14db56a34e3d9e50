"""Whether the groups of a job are boxes: each task in one at most, and no need that leads into one or out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from scheduler.model.graph import Graph
from scheduler.model.problems import Problem, pointer_of
from scheduler.model.scopes import OUTER, Scope, Scopes, texts

PROBLEMS_MAX = 100
GUESSED_AMONG_MAX = 1_000
GUESSES_MAX = 10
PARTS = ("tasks", "catch")


def combined(graph: Graph, groups: object) -> Graph:
    """The graph of the tasks with the groups beside them."""
    if not isinstance(groups, Mapping):
        return graph
    boxes = {
        name: texts(fields.get("needs"))
        for name, fields in groups.items()
        if isinstance(name, str) and isinstance(fields, Mapping)
    }
    return {**graph, **boxes}


def group_problems(tasks: Graph, scopes: Scopes, groups: Mapping[Any, Any]) -> list[Problem]:
    """What is wrong with these groups of these tasks: the first hundred."""
    problems = [
        Problem(
            pointer_of("groups", name), f"there is a task {name!r} too", "give the group a name of its own"
        )
        for name in scopes.tasks
        if name in tasks
    ]
    problems += _of_members(tasks, scopes)
    for name, needs in combined(tasks, groups).items():
        if len(problems) >= PROBLEMS_MAX:
            break
        for place, need in enumerate(needs):
            said = _crossing(name, need, scopes) if need in tasks or need in scopes.tasks else None
            if said is not None:
                section = "groups" if name in scopes.tasks else "tasks"
                problems.append(Problem(pointer_of(section, name, "needs", place), *said))
    return problems[:PROBLEMS_MAX]


def _of_members(tasks: Graph, scopes: Scopes) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[str, str] = {}
    guesses = 0
    for group in scopes.tasks:
        for part, named in zip(PARTS, (scopes.tasks[group], scopes.catch[group]), strict=True):
            for place, task in enumerate(named):
                pointer = pointer_of("groups", group, part, place)
                if task in scopes.tasks:
                    problems.append(
                        Problem(pointer, f"{task} is a group: groups hold tasks alone", "name its tasks")
                    )
                elif task not in tasks:
                    guesses += 1
                    near = _near(task, tasks) if guesses <= GUESSES_MAX else ""
                    problems.append(Problem(pointer, f"there is no task {task[:128]!r}", near))
                elif (other := first.setdefault(task, pointer)) != pointer:
                    problems.append(Problem(pointer, f"{task} is named at {other} already", "remove one"))
    return problems


def _near(task: str, tasks: Graph) -> str:
    near = difflib.get_close_matches(task[:128], list(tasks)[:GUESSED_AMONG_MAX], 1)
    return f"did you mean {near[0]}?" if near else "name one of this job"


def _crossing(name: str, need: str, scopes: Scopes) -> tuple[str, str] | None:
    """What is wrong where one graph needs what is in another."""
    here, there = scopes.of_task(name), scopes.of_task(need)
    if here == there:
        return None
    if there.group and there.group not in (here.group, name):
        outside = f"need {there.group}"
        return f"{need} is inside of group {there.group}, which is one box for what is outside", outside
    if name == there.group:
        return f"{need} is inside of it", "a group needs what is outside"
    return _out_of(here, need, there)


def _out_of(here: Scope, need: str, there: Scope) -> tuple[str, str]:
    if there.group == here.group:
        if there.is_catch:
            return f"{need} begins when a task of group {here.group} has failed", "remove it"
        return f"all tasks of group {here.group} have ended when a failure is caught", "remove it"
    if need == here.group:
        return f"{need} is the group that it is in", "remove it"
    assert there == OUTER
    return f"{need} is outside of group {here.group}", f"let the group need it: groups.{here.group}.needs"
