"""What a job may mean and seldom does: told with what an apply answers, and in the way of nothing.

One so far: locks of a job or a group that are held while something in it waits for a person or an instant.
They are taken with the first placement in it and given back at its end, so for as long as a question stays
unanswered nobody else has them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from scheduler.model.problems import Problem, pointer_of

if TYPE_CHECKING:
    from scheduler.model.job import Job

CAUTIONS_MAX = 50
HINT = "Let those tasks take them that need them (locks of a task), or a group without what waits."


def cautions(job: Job) -> list[Problem]:
    """In the order of the file, the first CAUTIONS_MAX."""
    waits = {name: task.kind.meanwhile for name, task in job.tasks.items() if task.kind.meanwhile}
    if not waits:
        return []
    last = frozenset(job.finally_ or ())
    before = _before(job)
    found: list[Problem] = []
    if job.policies.locks:
        found += _held("a run of it", pointer_of("policies", "locks"), job, waits, job.tasks, before, last)
    for name, group in (job.groups or {}).items():
        if group.locks:
            inside = (*group.tasks, *(group.catch or ()))
            where = pointer_of("groups", name, "locks")
            found += _held(f"group {name}", where, job, waits, inside, before, frozenset())
    return found[:CAUTIONS_MAX]


def _held(
    holder: str, pointer: str, job: Job, waits: Mapping[str, str], inside: Iterable[str],
    before: Callable[[str], Collection[str]], last: frozenset[str],
) -> Iterable[Problem]:  # fmt: skip
    """Of each that waits inside: whether something there may be placed that does not wait for it."""
    names = list(inside)
    placed = [name for name in names if job.tasks[name].kind.happens == "agent"]
    for name in names:
        if name not in waits:
            continue
        rest = [each for each in placed if (each in last) <= (name in last)]
        if any(name not in before(each) for each in rest):
            detail = f"{holder} holds them while {name} {waits[name]}"
            yield Problem(pointer, detail, HINT)


def _before(job: Job) -> Callable[[str], Collection[str]]:
    """Of a task, all that has ended before it begins, by its needs and those of its group."""
    groups = job.groups or {}
    inside = {name: (*group.tasks, *(group.catch or ())) for name, group in groups.items()}
    group_of = {task: name for name, tasks in inside.items() for task in tasks}
    known: dict[str, frozenset[str]] = {}

    def before(name: str) -> frozenset[str]:
        if name not in known:
            known[name] = frozenset()  # a circle was refused before
            box = groups[name] if name in groups else job.tasks[name]
            needs = [*box.needs, *(groups[group_of[name]].needs if name in group_of else ())]
            ended = {each for need in needs for each in (need, *inside.get(need, ()))}
            known[name] = frozenset(ended.union(*map(before, needs)))
        return known[name]

    return before
