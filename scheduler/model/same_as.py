"""`on.same_as`: a task goes to the agent of another one, which must have ended when it begins."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from scheduler.model.graph import Graph
from scheduler.model.problems import Problem, pointer_of
from scheduler.model.task import Task
from scheduler.model.when_check import ended_before

PROBLEMS_MAX = 100


def same_as_problems(
    tasks: Mapping[str, Task], flow: Callable[[], Graph], last: tuple[str, ...] = ()
) -> list[Problem]:
    """What is wrong with it in these tasks, of which `last` begin when all others have ended: the first
    hundred. `flow`: what ends before what."""
    asked = {name: (task.on.same_as,) for name, task in tasks.items() if task.on.same_as is not None}
    before = ended_before(flow(), asked, last) if asked else {}
    problems: list[Problem] = []
    for name, (other,) in list(asked.items())[:PROBLEMS_MAX]:
        if other == name:
            said = ("it names itself", "name a task that ends before it")
        elif tasks[name].fanout is not None:
            said = ("its members go to many agents", "remove same_as, or fanout")
        elif other not in tasks:
            near = difflib.get_close_matches(other, list(tasks)[:1_000], 1)
            hint = f"did you mean {near[0]}?" if near else "name one of this job"
            said = (f"there is no task {other!r}", hint)
        elif tasks[other].kind.happens != "agent":
            said = (f"{other} happens on no agent", "name a task that does")
        elif tasks[other].fanout is not None:
            said = (f"{other} is divided over many members", "name a task that goes to one agent")
        elif other not in before[name]:
            said = (f"{other} may not have ended when {name} begins", f"add {other} to the needs of {name}")
        else:
            continue
        problems.append(Problem(pointer_of("tasks", name, "on", "same_as"), *said))
    return problems
