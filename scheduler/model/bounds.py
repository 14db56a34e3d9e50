"""How large a job may be as data, looked at before anything of it is judged.

Rules of this file:

1. What a job costs to judge grows with its values and with its mistakes. So both are limited here: the depth,
   the values in all, the entries of each part, the needs of the whole graph.
2. A part that is too large is told by itself, and the rest is not judged: a thousand mistakes in it help
   nobody.
"""

from __future__ import annotations

from typing import Any

from scheduler.model.graph import EDGES_MAX, NEEDS_MAX
from scheduler.model.limits import PARAMS_MAX
from scheduler.model.problems import JobError, Problem, pointer_of
from scheduler.model.secret_uses import USES_MAX
from scheduler.model.work import KINDS

DEPTH_MAX = 32
VALUES_MAX = 150_000
TASKS_MAX = 10_000
TRIGGERS_MAX = 100
SCHEDULES_MAX = 5  #: that a job names
NOTICES_MAX = 10
VARS_MAX = 10
GROUPS_MAX = 200
CATCH_MAX = 100  #: tasks that catch the failures of a group
FIELDS_MAX = 100  #: of an object with fixed fields; far more than it knows

_JOB_PARTS = {
    "tasks": TASKS_MAX, "triggers": TRIGGERS_MAX, "params": PARAMS_MAX, "notify": NOTICES_MAX,
    "vars": VARS_MAX, "groups": GROUPS_MAX,
}  # fmt: skip
_GROUP_PARTS = {"needs": NEEDS_MAX, "tasks": TASKS_MAX, "catch": CATCH_MAX}
_TASK_PARTS = {
    "needs": NEEDS_MAX,
    "secrets": USES_MAX,
    **{kind.name: kind.entries_max for kind in KINDS if kind.entries_max},
}


def check_bounds(data: object) -> None:
    """Raises JobError when the whole is too deep or too large."""
    values = 0
    level: list[object] = [data]
    for depth in range(DEPTH_MAX + 1):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list | tuple):
                below.extend(value)
        values += len(below)
        if values > VALUES_MAX:
            raise JobError((Problem("", f"more than {VALUES_MAX} values"),))
        if not below:
            return
        if depth == DEPTH_MAX:
            raise JobError((Problem("", f"nested deeper than {DEPTH_MAX} levels"),))
        level = below


def half_pair(data: object) -> str | None:
    """The pointer of a text with a lone surrogate: JSON can write one ("\\ud800"), UTF-8 cannot."""
    left: list[tuple[object, str]] = [(data, "")]
    while left:
        value, pointer = left.pop()
        if isinstance(value, str):
            if not _is_whole(value):
                return pointer
        elif isinstance(value, dict):
            for name, content in value.items():
                if not _is_whole(str(name)):
                    return pointer + pointer_of(str(name).encode(errors="backslashreplace").decode())
                left.append((content, pointer + pointer_of(name)))
        elif isinstance(value, list | tuple):
            left += [(item, f"{pointer}/{i}") for i, item in enumerate(value)]
    return None


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_parts(shape: dict[str, Any], *, short: bool) -> None:
    """Raises JobError for the parts of a job in its long form that have too many entries. `short`: it was
    given in the short form, whose one task stands at the top.
    """
    problems = _fields(shape, "") + _entries(shape, _JOB_PARTS, "")
    params = shape.get("params")
    if not problems:
        for section in ("triggers", "notify"):
            parts = shape.get(section)
            for i, part in enumerate(parts if isinstance(parts, list | tuple) else ()):
                problems += _fields(part, pointer_of(section, i))
        for name, param in params.items() if isinstance(params, dict) else ():
            problems += _fields(param, pointer_of("params", str(name)))
        groups = shape.get("groups")
        for name, group in groups.items() if isinstance(groups, dict) else ():
            problems += _fields(group, pointer_of("groups", str(name)))
            if isinstance(group, dict):
                problems += _entries(group, _GROUP_PARTS, pointer_of("groups", str(name)))
    tasks = shape.get("tasks")
    if not problems and isinstance(tasks, dict):
        edges = 0
        for name, task in tasks.items():
            pointer = "" if short else pointer_of("tasks", str(name))
            problems += _fields(task, pointer)
            if isinstance(task, dict):
                problems += _entries(task, _TASK_PARTS, pointer)
                needs = task.get("needs")
                edges += len(needs) if isinstance(needs, list | tuple) else 0
        if edges > EDGES_MAX and not problems:
            detail = f"the tasks have {edges} needs together, {EDGES_MAX} are the most"
            hint = "put a noop task between two layers: it needs all of the one, and all of the other need it"
            problems.append(Problem("/tasks", detail, hint))
    if problems:
        raise JobError(tuple(problems[:10]))


def _fields(part: object, pointer: str) -> list[Problem]:
    if isinstance(part, dict) and len(part) > FIELDS_MAX:
        return [Problem(pointer, f"an object of {len(part)} fields; no part of a job has as many")]
    return []


def _entries(part: dict[str, Any], limits: dict[str, int], pointer: str) -> list[Problem]:
    problems: list[Problem] = []
    if limits.keys().isdisjoint(part):
        return problems
    for name, most in limits.items():
        value = part.get(name)
        if isinstance(value, dict | list | tuple) and len(value) > most:
            problems.append(Problem(f"{pointer}/{name}", f"{name} has more than {most} entries"))
    return problems
