"""What is said where a run has no such task, or the task no such member."""

from __future__ import annotations

from api.near import near_miss
from scheduler.store.connection import Store
from scheduler.store.reads import tasks as task_reads
from scheduler.store.tables import tasks as task_rows

NAMES_MAX = 10_000  #: of tasks, looked at for one that is meant
MEMBERS = "cronclave run members {0} {1}, or GET /v1/runs/{0}/tasks/{1}/members, has its members."
TASKS = "cronclave run show {0}, or GET /v1/runs/{0}, has the names of its tasks."


def task_hint(store: Store, run: int, name: str) -> str:
    """Where its members are, of a task that is there; else the task that may be meant."""
    if task_rows.newest(store, run, name) is not None:
        return MEMBERS.format(run, name)
    return near_miss(name, task_reads.names(store, run, NAMES_MAX), TASKS.format(run))
