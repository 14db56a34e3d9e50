"""A revision's tasks with what applying needs at hand: who depends on whom, and each task's selector."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.machine import selectors
from scheduler.model.compiled import CompiledJob, CompiledTask, compile_job
from scheduler.store import jobs
from scheduler.store.connection import Store

GRAPHS_MAX = 8_192


@dataclass(frozen=True, slots=True)
class Graph:
    job: CompiledJob
    by_name: dict[str, CompiledTask]
    dependents: dict[str, tuple[str, ...]]
    selectors: dict[str, str]
    single_root: (
        CompiledTask | None
    )  #: what a planned placement is meant for: the only task that can start first


def build(job: CompiledJob) -> Graph:
    dependents: dict[str, list[str]] = {task.name: [] for task in job.tasks}
    for task in job.tasks:
        for need in task.needs:
            dependents[need].append(task.name)
    roots = [task for task in job.tasks if not task.needs]
    return Graph(
        job=job,
        by_name={task.name: task for task in job.tasks},
        dependents={name: tuple(names) for name, names in dependents.items()},
        selectors={task.name: selectors.of_task(task) for task in job.tasks},
        single_root=roots[0] if len(roots) == 1 else None,
    )


class Graphs:
    """Graphs by (job, revision), read from the stored revision when they are asked for first.

    Derived values only, so how many are kept changes no result. The oldest goes first.
    """

    def __init__(self, store: Store, limit: int = GRAPHS_MAX) -> None:
        self._store = store
        self._limit = limit
        self._graphs: dict[tuple[int, int], Graph] = {}

    def get(self, job: int, namespace: str, name: str, revision: int) -> Graph:
        graph = self._graphs.get((job, revision))
        if graph is None:
            spec = jobs.spec_of(self._store, namespace, name, revision)
            if spec is None:
                raise LookupError(f"no revision {revision} of {namespace}/{name}")
            graph = build(compile_job(spec))
            if len(self._graphs) >= self._limit:
                del self._graphs[next(iter(self._graphs))]
            self._graphs[job, revision] = graph
        return graph
