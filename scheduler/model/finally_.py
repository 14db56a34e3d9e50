"""`finally`: the tasks of a job that begin once all the rest of the run has ended, however that ended.

Rules of this file:

1. They are tasks as any other, and need each other alone: of the rest each has ended by then. How, their
   conditions may ask.
2. No other task waits for one of them.
3. Each has a timeout, 5 minutes where it says none, so that a run which was stopped comes to its end."""

from __future__ import annotations

import difflib
from typing import Any

from scheduler.model.graph import GUESSED_AMONG_MAX, PROBLEMS_MAX, Graph
from scheduler.model.problems import Problem, pointer_of
from scheduler.model.scopes import Scopes
from scheduler.model.work import KINDS

FINALLY = "names of tasks that begin once all others have ended, however"
KEPT_LAST_MAX = 50
TIMEOUT = "5m"
_TIMED = frozenset(kind.name for kind in KINDS if "timeout" not in kind.unread)


def named_last(given: object) -> tuple[str, ...]:
    """As far as it has a shape."""
    names = given if isinstance(given, list | tuple) else ()
    return tuple(name for name in names[:KEPT_LAST_MAX] if isinstance(name, str))


def with_timeouts(data: Any) -> Any:
    """A job of which each task in `finally` has a timeout, written out."""
    last = named_last(data.get("finally")) if isinstance(data, dict) else ()
    tasks = data.get("tasks") if last else None
    if not isinstance(tasks, dict):
        return data
    filled = {
        name: {**task, "timeout": TIMEOUT}
        for name in last
        if isinstance(task := tasks.get(name), dict)
        and task.get("timeout") is None
        and not _TIMED.isdisjoint(task)
    }
    return {**data, "tasks": {**tasks, **filled}}


def finally_problems(last: tuple[str, ...], graph: Graph, scopes: Scopes) -> list[Problem]:
    """`graph`: of all tasks and groups that there are. The first hundred."""
    problems: list[Problem] = []
    known: set[str] = set()
    for place, name in enumerate(last):
        if name in known:
            problems.append(Problem(pointer_of("finally", place), f"{name!r} is named twice", "remove one"))
        elif name not in graph:
            near = difflib.get_close_matches(name[:128], list(graph)[:GUESSED_AMONG_MAX], 1)
            hint = f"did you mean {near[0]}?" if near else "name tasks of this job"
            problems.append(Problem(pointer_of("finally", place), f"there is no task {name[:128]!r}", hint))
        elif name in scopes.tasks or name in scopes.of:
            said = f"{name} is a group" if name in scopes.tasks else f"{name} is inside of a group"
            hint = "name tasks that are by themselves"
            problems.append(Problem(pointer_of("finally", place), said, hint))
        known.add(name)
    if last and known.issuperset(graph):
        hint = "leave one out: they begin when all others have ended"
        problems.append(Problem(pointer_of("finally"), "there is no task beside those in finally", hint))
    for name, needs in graph.items() if last else ():
        for place, need in enumerate(needs):
            if need in graph and (name in known) != (need in known) and len(problems) < PROBLEMS_MAX:
                pointer = pointer_of("groups" if name in scopes.tasks else "tasks", name, "needs", place)
                problems.append(Problem(pointer, *_across(name, need, known)))
    return problems[:PROBLEMS_MAX]


def _across(name: str, need: str, last: set[str]) -> tuple[str, str]:
    if name in last:
        asked = f"its condition may ask how: when: {need}.failed"
        return f"{name} is in finally: {need} has ended when it begins, however", f"remove it; {asked}"
    return f"{need} is in finally, and begins when {name} has ended", f"remove it, or name {name} there too"

