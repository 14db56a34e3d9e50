"""What an `after` trigger waits for, part by part: as it is now, or as it was when it made a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from scheduler.model.after import After, Ended, read_after
from scheduler.model.expressions import Value, walk
from scheduler.store.connection import Store
from scheduler.store.reads import ends as end_reads
from scheduler.store.tables import postponed, results
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.runs import Run
from scheduler.words.causes import Kind


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


def _told(
    key: str, after: After, known: Mapping[str, _End], counts: Mapping[str, int], *, waits: bool
) -> Condition:
    judged = after.judge(known)
    parts = tuple(
        Part(depth, after.text[part.node.start : part.node.end], part.value) for depth, part in walk(judged)
    )
    heard = tuple(
        Heard(name, end.run, end.state, end.at_ms, counts.get(name, 1)) for name, end in sorted(known.items())
    )
    lacks = tuple(str(parent) for parent in after.parents if str(parent) not in known)
    assert judged.value is None or isinstance(judged.value, bool)
    return Condition(key, after.text, judged.value, waits, parts, heard, lacks)
