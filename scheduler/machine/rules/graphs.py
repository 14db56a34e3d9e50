"""A revision's tasks with what applying needs at hand: who depends on whom, and each task's selector."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.machine.rules import selectors
from scheduler.model.by_revision import ByRevision
from scheduler.model.compiled import CompiledJob, CompiledTask, compile_job
from scheduler.store.connection import Store
from scheduler.store.tables import jobs

KEPT_FROM_TASKS = 50  #: a job put with as many is compiled once; small ones are when they are needed


@dataclass(frozen=True, slots=True)
class Graph:
    job: CompiledJob
    by_name: dict[str, CompiledTask]
    places: dict[str, int]  #: of each task, in the job's order
    dependents: tuple[tuple[int, ...], ...]
    """Of each task by its place: the places of those that need it; ~place of one whose condition asks it."""
    selectors: dict[str, str]
    single_root: CompiledTask | None
    """What a planned placement is meant for: the only first task, if on an agent and without locks."""
    stands_still: bool  #: its runs' timeout may stand still (`steps.clock`)


def build(job: CompiledJob) -> Graph:
    places = {task.name: place for place, task in enumerate(job.tasks)}
    dependents: list[list[int]] = [[] for _ in job.tasks]
    for place, task in enumerate(job.tasks):
        for need in task.needs:
            dependents[places[need]].append(place)
        for asked in task.asks:
            dependents[places[asked]].append(~place)
    roots = job.roots
    return Graph(
        job=job,
        by_name={task.name: task for task in job.tasks},
        places=places,
        dependents=tuple(tuple(following) for following in dependents),
        selectors=_selectors(job),
        single_root=roots[0] if len(roots) == 1 and roots[0].happens == "agent" and not roots[0].locks
        else None,
        stands_still=job.timeout_ms is not None
        and (job.holds_failures or any(task.lasts_ms for task in job.tasks)),
    )


def _selectors(job: CompiledJob) -> dict[str, str]:
    """Of each task; made once for all that may run at the same places."""
    made: dict[tuple[object, ...], str] = {}
    found: dict[str, str] = {}
    for task in job.tasks:
        if task.happens != "agent":
            found[task.name] = ""
            continue
        where = (
            task.pool, task.labels, task.zone, task.match, task.unlike, task.executor, task.features,
            task.user, task.locks,
        )  # fmt: skip
        selector = made.get(where)
        if selector is None:
            selector = made[where] = selectors.of_task(task, job.namespace)
        found[task.name] = selector
    return found


class Graphs:
    """Graphs by (job, revision), read from the stored revision when they are asked for first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._graphs: ByRevision[Graph] = ByRevision(lambda graph: graph.job.weight)
        self._outlines: ByRevision[CompiledJob] = ByRevision(lambda outline: 0)

    def get(self, job: int, namespace: str, name: str, revision: int) -> Graph:
        graph = self._graphs.peek(job, revision)
        if graph is None:
            spec = jobs.spec_of(self._store, namespace, name, revision)
            if spec is None:
                raise LookupError(f"no revision {revision} of {namespace}/{name}")
            graph = self.keep(job, revision, compile_job(spec))
        return graph

    def outline(self, job: int, namespace: str, name: str, revision: int) -> CompiledJob:
        """The policies of a revision: known for thousands of jobs, however large these are."""
        found = self._outlines.peek(job, revision)
        if found is None:
            found = self._outlines.keep(job, revision, self.get(job, namespace, name, revision).job.outline())
        return found

    def keep(self, job: int, revision: int, compiled: CompiledJob) -> Graph:
        """The graph of a revision that was just compiled, for whoever asks next."""
        return self._graphs.keep(job, revision, build(compiled))
