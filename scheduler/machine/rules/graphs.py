"""A revision's tasks with what applying needs at hand: who depends on whom, and each task's selector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scheduler.machine.rules import selectors
from scheduler.model.by_revision import ByRevision
from scheduler.model.compiled import CompiledJob, CompiledTask, compile_job
from scheduler.model.compiled_group import CompiledGroup
from scheduler.store.connection import Store
from scheduler.store.tables import jobs
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task

KEPT_FROM_TASKS = 50  #: a job put with as many is compiled once; small ones are when they are needed


class Box(NamedTuple):
    """Places in a graph, of what is in a group. First of the group's dependents are the tasks that begin with
    it, then those that begin when it catches a failure, then what needs it."""

    group: CompiledGroup
    first: int  #: of its tasks; those that catch follow them, in a row
    catch: int  #: the first of those
    end: int  #: the first place after both
    roots: int  #: how many of its dependents begin with it
    inner: int  #: how many are inside
    asks: str  #: of a sticky one: what its agent must offer for all of it, as JSON; else empty
    is_divided: bool  #: a task in it is


@dataclass(frozen=True, slots=True)
class Graph:
    job: CompiledJob
    by_name: dict[str, CompiledTask]
    places: dict[str, int]  #: of each task, in the job's order
    dependents: tuple[tuple[int, ...], ...]
    """Of each task by its place: the places of those that need it, of one in a group then that of the group;
    ~place of one whose condition asks it."""
    selectors: dict[str, str]
    single_root: CompiledTask | None
    """What a planned placement is meant for."""
    stands_still: bool  #: its runs' timeout may stand still (`steps.clock`)
    boxes: dict[int, Box]  #: by place, of groups
    box_of: dict[int, int]  #: by place, of what is in a group: the place of that
    divided: tuple[int, ...]  #: places of tasks with a fan-out
    hands_on: bool  #: a task may be completed from outside

    def place(self, run: Run, task: Task) -> int:
        """Of a task of this run. In its first round it is told by its id, but for members."""
        is_first = not (task.round or task.member)
        return task.id - run.first_task if is_first else self.places[task.name]

    def is_box(self, run: Run, task: Task) -> bool:
        """Whether its work is that of other tasks: of those inside, or of its members."""
        if task.member or not (self.boxes or self.divided):
            return False
        compiled = self.of(run, task)
        return compiled.happens == "group" or compiled.fanout is not None

    def of(self, run: Run, task: Task) -> CompiledTask:
        return self.job.tasks[self.place(run, task)]


def build(job: CompiledJob) -> Graph:
    places = {task.name: place for place, task in enumerate(job.tasks)}
    dependents: list[list[int]] = [[] for _ in job.tasks]
    for place, task in enumerate(job.tasks):
        if task.scope.group and not task.needs:
            dependents[places[task.scope.group]].append(place)
    inner = {group.place: len(dependents[group.place]) for group in job.groups}
    for place, task in enumerate(job.tasks):
        for need in task.needs:
            dependents[places[need]].append(place)
        for asked in task.asks:
            dependents[places[asked]].append(~place)
    boxes = {
        group.place: _box(job, group, dependents[group.place][: inner[group.place]]) for group in job.groups
    }
    box_of = {place: of for of, box in boxes.items() for place in range(box.first, box.end)}
    for place, of in box_of.items():
        dependents[place].append(of)
    return Graph(
        job=job,
        by_name=job.by_name,
        places=places,
        dependents=tuple(tuple(following) for following in dependents),
        selectors=_selectors(job),
        single_root=job.placed_early,
        stands_still=job.timeout_ms is not None
        and (job.holds_failures or any(task.lasts_ms for task in job.tasks)),
        boxes=boxes,
        box_of=box_of,
        divided=tuple([place for place, task in enumerate(job.tasks) if task.fanout is not None]),
        hands_on=bool([task for task in job.tasks if task.async_ms is not None]),
    )


def _box(job: CompiledJob, group: CompiledGroup, inside: list[int]) -> Box:
    first = group.place + 1
    catch = first + group.tasks
    roots = sum(place < catch for place in inside)
    end = catch + group.catch
    asks = selectors.asks_of_all(job.tasks[first:end]) if group.sticky else ""
    is_divided = any(task.fanout is not None for task in job.tasks[first:end])
    return Box(group, first, catch, end, roots, len(inside), asks, is_divided)


def _selectors(job: CompiledJob) -> dict[str, str]:
    """Of each task; made once for all that may run at the same places."""
    made: dict[tuple[object, ...], str] = {}
    found: dict[str, str] = {}
    for task in job.tasks:
        if task.happens != "agent":
            found[task.name] = selectors.OF_BOX if task.happens == "group" and task.locks else ""
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
        self._last_of = (0, 0)  #: the job and the revision that were asked for last
        self._last: Graph | None = None

    def get(self, job: int, namespace: str, name: str, revision: int) -> Graph:
        if self._last is not None and self._last_of == (job, revision):  # a command asks several times
            return self._last
        graph = self._graphs.peek(job, revision)
        if graph is None:
            spec = jobs.spec_of(self._store, namespace, name, revision)
            if spec is None:
                raise LookupError(f"no revision {revision} of {namespace}/{name}")
            graph = self.keep(job, revision, compile_job(spec))
        self._last_of, self._last = (job, revision), graph
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
