"""Conditions, part by part: of `after` triggers as they are now, or as they were when they made a run; of
tasks (`when`) as they were judged, or would be now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from scheduler.machine.rules.conditions import Condition as WhenCondition
from scheduler.model.after import After, Ended, read_after
from scheduler.model.compiled import CompiledJob
from scheduler.model.expressions import Judged, Value, truth, walk
from scheduler.store.connection import Store
from scheduler.store.reads import ends as end_reads
from scheduler.store.tables import postponed, results
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.runs import Run
from scheduler.words.causes import Kind

CONDITIONS_MAX = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A sub-expression; those of which it consists follow it, one deeper."""

    depth: int
    text: str
    value: Value  #: None: unknown


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest end of a job that is not consumed, or that a run has consumed."""

    job: str  #: namespace/name
    run: int
    state: str
    ended_ms: int
    ends: int  #: it is the newest of so many


@dataclass(frozen=True, slots=True)
class Condition:
    trigger: str
    text: str
    value: bool | None
    waits: bool  #: it was true, and its run waits for room among those of the job
    parts: tuple[Part, ...]
    heard: tuple[Heard, ...]
    lacks: tuple[str, ...]  #: jobs that it names of which there is no end


@dataclass(frozen=True, slots=True)
class TaskCondition:
    """Of a task: as it was judged, since what it asks never changes; before that, as things stand."""

    task: str
    state: str
    text: str
    value: bool | None
    parts: tuple[Part, ...]


class _End(Ended, Protocol):
    @property
    def run(self) -> int: ...
    @property
    def at_ms(self) -> int: ...


def of_job(store: Store, job: int) -> tuple[Condition, ...]:
    """Of each of its live triggers that has one, as things stand."""
    found = []
    for era in trigger_rows.live(store, job):
        after = read_after(era.spec)
        if after is not None:
            known = results.of(store, era.id)
            waits = postponed.get(store, era.id) is not None
            counts = {name: result.ends for name, result in known.items()}
            found.append(_told(era.key, after, known, counts, waits=waits))
    return tuple(found)


def of_run(store: Store, run: Run) -> Condition | None:
    """The one that made this run, by the ends that it consumed."""
    era = trigger_rows.get(store, run.trigger) if run.cause == Kind.AFTER else None
    after = None if era is None else read_after(era.spec)
    if era is None or after is None:
        return None
    runs = [int(number) for number in run.cause_key.rpartition("/")[2].split(",")]
    return _told(era.key, after, {end.parent: end for end in end_reads.of_runs(store, runs)}, {}, waits=False)


def of_tasks(store: Store, run: Run, job: CompiledJob | None) -> tuple[TaskCondition, ...]:
    """Of the first tasks of the graph that have one."""
    found: list[TaskCondition] = []
    for compiled in () if job is None else (task for task in job.tasks if task.when):
        if len(found) == CONDITIONS_MAX:
            break
        task = task_rows.newest(store, run.id, compiled.name)
        if task is not None:
            judged = WhenCondition(store, run, compiled.when).judged()
            parts = _parts(compiled.when, judged)
            found.append(TaskCondition(task.name, task.state, compiled.when, truth(judged.value), parts))
    return tuple(found)


def _parts(text: str, judged: Judged) -> tuple[Part, ...]:
    return tuple(
        Part(depth, text[part.node.start : part.node.end], part.value) for depth, part in walk(judged)
    )


def _told(
    key: str, after: After, known: Mapping[str, _End], counts: Mapping[str, int], *, waits: bool
) -> Condition:
    judged = after.judge(known)
    parts = _parts(after.text, judged)
    heard = tuple(
        Heard(name, end.run, end.state, end.at_ms, counts.get(name, 1)) for name, end in sorted(known.items())
    )
    lacks = tuple(str(parent) for parent in after.parents if str(parent) not in known)
    assert judged.value is None or isinstance(judged.value, bool)
    return Condition(key, after.text, judged.value, waits, parts, heard, lacks)
