"""Which ticks an apply would move by the calendars and schedules in it, of jobs that it does not change, or
other zone data of all jobs: a dry run tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from api.instants import rfc3339
from scheduler.machine.rules import substitutes
from scheduler.machine.rules.changing import OF_JOB_MAX
from scheduler.model.known_dates import KIND as CALENDAR
from scheduler.model.known_dates import dates_of
from scheduler.model.known_schedules import KIND as SCHEDULE
from scheduler.model.known_schedules import InForce
from scheduler.plan.rescheduling import Calendars, of_job
from scheduler.store.connection import Store
from scheduler.store.tables import changed_ticks, job_schedules, pins, refs
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.changed_ticks import FIRED
from scheduler.store.tables.refs import Named
from scheduler.ticks import SpecError, anchored, as_written, repinned, ruled, schedule, shared_of
from scheduler.words.commands import Apply, PreparedObject

LOOKED_MAX = 200  #: triggers of a calendar, jobs of a schedule
DAYS, TOLD_MAX, TICKS_MAX = 400, 5, 2_000
_DAY_MS = 86_400_000

Change = tuple[int, str, bytes | None, bytes | None]
"""The job, the trigger's key, and its spec before and after; None: it has none."""


def moves(store: Store, command: Apply, now_ms: int, may_see: Callable[[str], bool]) -> dict[str, Any]:
    """Of the next 400 days. `may_see`: the caller, of a namespace."""
    kinds = {new.kind for new in command.objects} | {gone.kind for gone in command.deletions}
    if not kinds & {CALENDAR, SCHEDULE}:
        return {}
    put = set(_edited(store, command))
    told: list[dict[str, Any]] = []
    cut = False
    for new in command.objects:
        if new.kind == CALENDAR:
            numbers = pins.holders(store, new.namespace, new.name, new.pin, LOOKED_MAX + 1)
            cut = cut or len(numbers) > LOOKED_MAX
            told += _told(store, _by_dates(store, new, numbers[:LOOKED_MAX]), now_ms, may_see, put)
    gone = [(each.kind, each.namespace, each.name) for each in command.deletions]
    beside = substitutes.put_with(command.objects, gone)
    calendars = Calendars(store, command.objects)
    for namespace, name in _schedules(store, beside):
        meant = substitutes.known(store, namespace, name, beside)
        if meant is None:
            continue
        jobs = job_schedules.holders(store, namespace, name, meant.pin, LOOKED_MAX + 1)
        cut = cut or len(jobs) > LOOKED_MAX
        for job in jobs[:LOOKED_MAX]:
            told += _told(store, _by_schedule(store, job, meant, now_ms, calendars), now_ms, may_see, put)
    return {"moves": told, "moves_cut": cut}


def _edited(store: Store, command: Apply) -> Iterator[tuple[str, str]]:
    """Jobs that the apply changes: what becomes of these is told of the job. A folder holds all, and most
    are as they were."""
    for job in command.jobs:
        row = job_rows.find(store, job.namespace, job.name)
        if row is None or bytes(row.spec) != job.spec:
            yield job.namespace, job.name


def moves_by_rules(
    store: Store, moved: Mapping[str, str], now_ms: int, may_see: Callable[[str], bool]
) -> dict[str, Any]:
    """Of the next 400 days, by other rules of these zones: their pins by name, which the process knows."""
    told: list[dict[str, Any]] = []
    left = LOOKED_MAX + 1
    for name, pin in moved.items():
        numbers = pins.holders(store, "", name, pin, left)
        left -= len(numbers)
        changes = _by_pin(store, numbers[: min(len(numbers), LOOKED_MAX)], pin)
        told += [{**each, "zone": name} for each in _told(store, changes, now_ms, may_see, set())]
    return {"moves": told, "moves_cut": left <= 0}


def _by_pin(store: Store, numbers: Sequence[int], pin: str) -> Iterator[Change]:
    for number in numbers:
        trigger = trigger_rows.get(store, number)
        if trigger is not None:
            yield trigger.job, trigger.key, bytes(trigger.spec), ruled(trigger.spec, pin)


def _by_dates(store: Store, new: PreparedObject, numbers: Sequence[int]) -> Iterator[Change]:
    dates = dates_of(new.namespace, new.name, new.spec)
    for number in numbers:
        trigger = trigger_rows.get(store, number)
        if trigger is not None:
            yield trigger.job, trigger.key, bytes(trigger.spec), repinned(trigger.spec, dates)


def _schedules(store: Store, beside: substitutes.Beside) -> list[tuple[str, str]]:
    """That mean something else by these: they, and those whose places they take or took."""
    found: dict[tuple[str, str], None] = {}
    for (namespace, name), new in beside.items():
        own = object_rows.pin_of(store, SCHEDULE, namespace, name)
        if new is not None and new.pin == own:
            continue
        bases = [substitutes.base_of(refs.of(store, Named(SCHEDULE, namespace, name)))]
        bases.append("" if new is None else substitutes.base_of(new.refers))
        found |= {(namespace, each): None for each in (name, *bases) if each}
    return list(found)


def _by_schedule(
    store: Store, job: int, meant: InForce, now_ms: int, calendars: Calendars
) -> Iterator[Change]:
    row, of = job_rows.get(store, job), f"{meant.namespace}/{meant.name}"
    new = () if row is None else of_job(bytes(row.spec), meant, now_ms, calendars)
    live = {trigger.key: trigger for trigger in trigger_rows.live(store, job)}
    before = {key: bytes(each.spec) for key, each in live.items() if shared_of(each.spec)[0] == of}
    after = {}
    for each in new:
        first_ms = as_written(before[each.key])[1] if each.key in before else None
        after[each.key] = anchored(each.spec, now_ms if first_ms is None else first_ms)
    for key in dict.fromkeys((*before, *after)):
        yield job, key, before.get(key), after.get(key)


def _told(
    store: Store,
    changes: Iterator[Change],
    now_ms: int,
    may_see: Callable[[str], bool],
    put: set[tuple[str, str]],
) -> Iterator[dict[str, Any]]:
    for number, key, before, after in changes:
        job = job_rows.standing(store, number)
        if job is None or before == after or not may_see(job.namespace) or (job.namespace, job.name) in put:
            continue
        try:
            was, will = (_ticks(spec, now_ms) for spec in (before, after))
        except SpecError:
            continue
        # Where the one list was cut, what the other has beyond is no move.
        cut = [each[-1] for each in (was, will) if len(each) == TICKS_MAX]
        end_ms = min(cut, default=now_ms + DAYS * _DAY_MS)
        gone = sorted({ms for ms in was if ms <= end_ms} - set(will))
        come = sorted({ms for ms in will if ms <= end_ms} - set(was))
        if gone or come:
            changed = changed_ticks.within(store, number, key, now_ms, end_ms, OF_JOB_MAX)
            to_come = [row.at_ms for row in changed if not row.passed and row.act != FIRED]
            lost = [at_ms for at_ms in to_come if at_ms in set(gone)]
            yield {
                "namespace": job.namespace, "job": job.name, "trigger": key,
                "gone": [rfc3339(ms) for ms in gone[:TOLD_MAX]], "gone_count": len(gone),
                "come": [rfc3339(ms) for ms in come[:TOLD_MAX]], "come_count": len(come),
                "dropped": [rfc3339(ms) for ms in lost],
            }  # fmt: skip


def _ticks(spec: bytes | None, now_ms: int) -> list[int]:
    return [] if spec is None else schedule(spec).between(now_ms, now_ms + DAYS * _DAY_MS, TICKS_MAX)
