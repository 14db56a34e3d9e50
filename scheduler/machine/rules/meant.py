"""Which task of a run a person means by its name and member, or why there is none: it may be too early.
A dry run of a hand asks the same."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.machine.rules.graphs import Graph
from scheduler.store.connection import Store
from scheduler.store.tables import fanouts, rounds
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.lifecycle import RUN_ENDS
from scheduler.words.outcomes import Code, Outcome


def find(store: Store, run: Run, name: str, member: str, graph: Callable[[Run], Graph]) -> Task | Outcome:
    """Its newest round. `graph` is asked where a member is missing alone."""
    task = task_rows.newest(store, run.id, name, member)
    whole = task_rows.newest(store, run.id, name) if member else task
    if task is not None and task.member and run.state not in RUN_ENDS:
        task = None if whole is None or whole.round != task.round else task  # of a round that is over
    if _is_being_made(store, run, task, whole if member else None):
        return Outcome(Code.CONFLICT, f"run {run.id} is still being made: ask again in a moment")
    if task is not None:
        return task
    if member and whole is not None and _has_no_members_yet(store, run, whole, graph):
        said = f"task {name} of run {run.id} has no members yet: they are fixed when it becomes ready"
        return Outcome(Code.CONFLICT, f"{said}; the task itself can be held until then")
    of = f" with a member {member[:100]!r}" if member else ""
    return Outcome(Code.NOT_FOUND, f"run {run.id} has no task {name[:100]!r}{of}")


def _is_being_made(store: Store, run: Run, task: Task | None, whole: Task | None) -> bool:
    """Whether there may be such a task in a moment. `whole`: of which a member is meant."""
    if task is None:
        is_open = whole is not None and whole.finished_ms is None
        spread = fanouts.get(store, whole.id) if whole is not None and is_open else None
        return run.unmade > 0 or (spread is not None and spread.unmade > 0)
    now = rounds.get(store, task.of_group) if task.of_group and not task.member else None
    return now is not None and now.unmade > 0


def _has_no_members_yet(store: Store, run: Run, whole: Task, graph: Callable[[Run], Graph]) -> bool:
    if whole.finished_ms is not None or not run.first_task:
        return False
    return graph(run).of(run, whole).fanout is not None and fanouts.get(store, whole.id) is None
