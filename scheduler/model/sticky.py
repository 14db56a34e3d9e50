"""`sticky` of groups: all tasks of a round go to one agent, so they have to ask for the same agents."""

from __future__ import annotations

from collections.abc import Mapping

from scheduler.model.group import Group
from scheduler.model.problems import Problem, pointer_of
from scheduler.model.task import Task


def sticky_problems(tasks: Mapping[str, Task], groups: Mapping[str, Group]) -> list[Problem]:
    """What is wrong with it in these groups: of each the first mistake."""
    found = [_problem(name, tasks, group) for name, group in groups.items() if group.sticky]
    return [problem for problem in found if problem is not None]


def _problem(group: str, tasks: Mapping[str, Task], box: Group) -> Problem | None:
    inside = [name for name in (*box.tasks, *(box.catch or ())) if tasks[name].kind.happens == "agent"]
    if not inside:
        said = "none of its tasks happens on an agent"
        return Problem(pointer_of("groups", group, "sticky"), said, "remove it")
    first = inside[0]
    for name in inside:
        on = tasks[name].on
        if on.same_as is not None:
            said = f"its group {group} says where it goes: where the others go"
            return Problem(pointer_of("tasks", name, "on", "same_as"), said, "remove same_as, or sticky")
        if on != tasks[first].on:
            said = f"{first} and {name} of group {group} ask for other agents, and are to go to one"
            return Problem(pointer_of("tasks", name, "on"), said, f"write the same as {first} does")
    return None
