"""Conditions, part by part: of `after` and `all_of` triggers as they are now, or as they were when they made
a run; of tasks (`when`) as they were judged, or would be now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from scheduler.explain.findings import outcome_text
from scheduler.machine.rules import gathered
from scheduler.machine.rules.conditions import Condition as WhenCondition
from scheduler.machine.rules.gathered import Come
from scheduler.model.after import After, Ended, read_after
from scheduler.model.all_of import AllOf, read_all_of, words
from scheduler.model.compiled import CompiledJob
from scheduler.model.expressions import Judged, Value, plain, truth, walk
from scheduler.store.connection import Store
from scheduler.store.reads import ends as end_reads
from scheduler.store.tables import gatherings, ledger, namespaces, postponed, results
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.gatherings import Gathering
from scheduler.store.tables.runs import Run
from scheduler.store.tables.triggers import Trigger
from scheduler.ticks import plan_days
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
    lacks: tuple[str, ...]  #: jobs that it names of which there is no end; of several things what lacks
    plan_day: int | None = None  #: for which it waits for several things together
    until_ms: int | None = None  #: then it is missed
    before: str = ""  #: what became of the newest plan date that is over


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


def of_job(store: Store, job: int, now_ms: int) -> tuple[Condition, ...]:
    """Of each of its live triggers that has one, as things stand."""
    found = []
    for era in trigger_rows.live(store, job):
        after = read_after(era.spec)
        if after is not None:
            known = results.of(store, era.id)
            waits = postponed.first_of(store, era.id) is not None
            counts = {name: result.ends for name, result in known.items()}
            found.append(_told(era.key, after, known, counts, waits=waits))
        elif (all_of := read_all_of(era.spec)) is not None:
            found += _together(store, era, all_of, now_ms)
    return tuple(found)


def _together(store: Store, era: Trigger, all_of: AllOf, now_ms: int) -> list[Condition]:
    """Of each plan date of which something has come; else of the first that is not over: nothing has."""
    rows = gatherings.open_of(store, era.id, CONDITIONS_MAX)
    waits = [each for each in postponed.of_job(store, era.job) if each.trigger == era.id]
    days = [plan_days.parse(each.cause_key.rpartition("/")[2]) for each in waits]
    fired = [row for day in days if (row := gatherings.get(store, era.job, era.key, day)) is not None]
    found = [_gathered(store, era.key, all_of, row, now_ms) for row in (*fired, *rows)]
    return found or [_nothing_yet(store, era, all_of, now_ms)]


def _nothing_yet(store: Store, era: Trigger, all_of: AllOf, now_ms: int) -> Condition:
    day = plan_days.day_of(namespaces.plan_days_of(store, era.namespace), now_ms)
    last = gatherings.last_over(store, era.job, era.key)
    while (row := gatherings.get(store, era.job, era.key, day)) is not None and row.is_over:
        day += 1
    told = _all_of(era.key, all_of, Come({}, {}), None, now_ms)
    return replace(told, plan_day=day, before="" if last is None else _became(store, last))


def _became(store: Store, row: Gathering) -> str:
    date = plan_days.text_of(row.plan_day)
    entry = ledger.of_cause(store, row.job, Kind.ALL_OF, f"{row.key}/{date}")
    if entry is None:
        return f"{date}: its run has not begun"
    if entry.outcome == "ran":
        return f"{date}: run {entry.run}"
    return f"{date}: {outcome_text(entry.outcome, entry.reason)}"


def _gathered(store: Store, key: str, all_of: AllOf, row: Gathering, now_ms: int) -> Condition:
    return _all_of(key, all_of, gathered.come(store, row), row, now_ms)


def _all_of(key: str, all_of: AllOf, come: Come, row: Gathering | None, at_ms: int) -> Condition:
    floor_ms = at_ms + 1 if row is None else row.floor_ms
    text = f"all of: {'; '.join(map(words, all_of.members))}"
    lacking = come.lacking(all_of, at_ms, floor_ms)
    parts = [Part(0, text, not lacking)]
    for member in all_of.members:
        if isinstance(member, After):
            inner = _parts(member.text, member.judge(come.ends))
            parts += [replace(part, depth=part.depth + 1) for part in inner]
        else:
            parts.append(Part(1, words(member), member not in lacking))
    heard = tuple(Heard(name, end.run, end.state, end.at_ms, 1) for name, end in sorted(come.ends.items()))
    day, until_ms = (None, None) if row is None else (row.plan_day, row.until_ms)
    waits = row is not None and row.ended == gatherings.FIRED
    return Condition(
        key, text, not lacking, waits, tuple(parts), heard, tuple(map(words, lacking)), day, until_ms
    )


def of_run(store: Store, run: Run) -> Condition | None:
    """The one that made this run, by the ends that it consumed."""
    era = trigger_rows.get(store, run.trigger) if run.cause in (Kind.AFTER, Kind.ALL_OF) else None
    all_of = None if era is None else read_all_of(era.spec)
    if era is not None and all_of is not None:
        row = gatherings.get(store, era.job, era.key, run.plan_day)
        return None if row is None else replace(
            _gathered(store, era.key, all_of, row, run.due_ms), waits=False
        )
    after = None if era is None else read_after(era.spec)
    if era is None or after is None:
        return None
    runs = [int(number) for number in run.cause_key.rpartition("/")[2].split(",")]
    return _told(era.key, after, {end.parent: end for end in end_reads.of_runs(store, runs)}, {}, waits=False)


def of_tasks(store: Store, run: Run, job: CompiledJob | None) -> tuple[TaskCondition, ...]:
    """Of the first tasks of the graph that have one."""
    found: list[TaskCondition] = []
    if job is None:
        return ()
    for compiled in (task for task in job.tasks if task.when):
        if len(found) == CONDITIONS_MAX:
            break
        task = task_rows.newest(store, run.id, compiled.name)
        if task is not None:
            judged = WhenCondition(store, run, compiled.when, job.times).judged()
            parts = _parts(compiled.when, judged)
            found.append(TaskCondition(task.name, task.state, compiled.when, truth(judged.value), parts))
    return tuple(found)


def _parts(text: str, judged: Judged) -> tuple[Part, ...]:
    return tuple(
        Part(depth, text[part.node.start : part.node.end], plain(part.value)) for depth, part in walk(judged)
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
