"""Whether the vars that a job names have what its conditions ask of them.

Asked as the job is put, where the objects are at hand (`api.jobs.asking`): what becomes of them later is
not judged again, and what has no value then is unknown."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from scheduler.model.expressions import names_of
from scheduler.model.job import Job
from scheduler.model.problems import Problem, pointer_of
from scheduler.model.when import VARS, asked_of, read_when

PROBLEMS_MAX = 100
TOLD_MAX = 10


def asks_vars(job: Job) -> bool:
    return job.vars is not None and any(task.when and f"{VARS}." in task.when for task in job.tasks.values())


def unknown_vars(job: Job, keys: Collection[str]) -> list[Problem]:
    """`keys`: of all vars that the job names."""
    problems: list[Problem] = []
    for name, task in job.tasks.items():
        for each in names_of(read_when(task.when).tree) if task.when else ():
            asked = asked_of(each.path)
            if asked.of != VARS or asked.name in keys or len(problems) == PROBLEMS_MAX:
                continue
            near = difflib.get_close_matches(asked.name[:64], list(keys), 1)
            told = ", ".join(sorted(keys)[:TOLD_MAX]) or "none"
            hint = f"did you mean {VARS}.{near[0]}?" if near else f"they have: {told}"
            detail = f"at {each.start + 1}: no vars of the job have {asked.name[:64]!r}"
            problems.append(Problem(job.as_given(pointer_of("tasks", name, "when")), detail, hint))
    return problems
