"""The calendars and schedules that jobs are prepared by, and which ticks another calendar would move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from api.instants import rfc3339
from scheduler.machine.rules import substitutes
from scheduler.model.known_dates import KIND, NO_CALENDARS, Calendars, dates_of
from scheduler.model.known_schedules import KIND as SCHEDULE
from scheduler.model.known_schedules import NO_SCHEDULES, InForce, Schedules
from scheduler.model.known_schedules import calendars_of as calendars_named
from scheduler.model.named import Target
from scheduler.store.connection import Store
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import pins, staged, stages
from scheduler.store.tables import triggers as trigger_rows
from scheduler.ticks import SpecError, repinned, schedule
from scheduler.words import codec
from scheduler.words.commands import PreparedObject

TRIES = 3  #: to prepare by calendars that are edited meanwhile
MOVES_LOOKED_MAX = 200  #: triggers of which the moves are told
MOVES_DAYS, MOVES_TOLD_MAX, MOVES_TICKS_MAX = 400, 5, 2_000
_DAY_MS = 86_400_000

_read_object = codec.reader_of(PreparedObject)


def calendars_of(
    store: Store, refers: Sequence[Target], puts: Sequence[PreparedObject] = (), stage: str = ""
) -> Calendars:
    """The dates of the calendars among these: as they are put with the jobs, or were laid down in the stage,
    or are stored; of schedules among these, those that their triggers name."""
    known = schedules_of(store, puts, stage)
    named = [each for each in refers if each.kind == SCHEDULE]
    by_schedule = [of for each in named for of in calendars_named(known(each.namespace, each.name))]
    refers = [*refers, *(Target(KIND, *of, "") for of in by_schedule)]
    put = {(new.namespace, new.name): new.spec for new in puts if new.kind == KIND}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for target in refers:
        of = (target.namespace, target.name)
        if target.kind != KIND or of in found:
            continue
        laid = _staged(store, stage, KIND, *of)
        spec = put.get(of) or (None if laid is None else laid.spec)
        if spec is None:
            row = object_rows.find(store, KIND, *of)
            spec = None if row is None else bytes(row.spec)
        if spec is not None:
            found[of] = dates_of(*of, spec)
    return lambda namespace, name: found.get((namespace, name)) or NO_CALENDARS(namespace, name)


def schedules_of(
    store: Store, puts: Sequence[PreparedObject] = (), stage: str = ""
) -> Schedules:
    """What schedules mean: as they are put with the jobs, or were laid down in the stage, or are stored. Of a
    stage what takes the place of one may be missed: the state says what its jobs have once it is live."""
    beside: dict[tuple[str, str], PreparedObject | None] = dict(substitutes.put_with(puts))

    def known(namespace: str, name: str) -> InForce:
        of = (namespace, name)
        if of not in beside and (laid := _staged(store, stage, SCHEDULE, *of)) is not None:
            beside[of] = laid
        return substitutes.known(store, namespace, name, beside) or NO_SCHEDULES(namespace, name)

    return known


def _staged(store: Store, stage_name: str, kind: str, namespace: str, name: str) -> PreparedObject | None:
    stage = stages.named(store, stage_name) if stage_name else None
    item = None if stage is None else staged.find(store, stage.id, kind, namespace, name)
    return None if item is None or item.is_deletion else _read_object(item.body)


def moves(store: Store, new: PreparedObject, now_ms: int, may_see: Callable[[str], bool]) -> dict[str, Any]:
    """Which ticks of the next 400 days would be others by this calendar. `may_see`: the caller, of a
    namespace."""
    if new.kind != KIND:
        return {}
    numbers = pins.holders(store, new.namespace, new.name, new.pin, MOVES_LOOKED_MAX + 1)
    dates = dates_of(new.namespace, new.name, new.spec)
    told: list[dict[str, Any]] = []
    for number in numbers[:MOVES_LOOKED_MAX]:
        trigger = trigger_rows.get(store, number)
        job = None if trigger is None else job_rows.standing(store, trigger.job)
        if trigger is None or job is None or not may_see(job.namespace):
            continue
        try:
            before, after = (
                schedule(spec).between(now_ms, now_ms + MOVES_DAYS * _DAY_MS, MOVES_TICKS_MAX)
                for spec in (bytes(trigger.spec), repinned(trigger.spec, dates))
            )
        except SpecError:
            continue
        # Where the one list was cut, what the other has beyond is no move.
        cut = [found[-1] for found in (before, after) if len(found) == MOVES_TICKS_MAX]
        end_ms = min(cut, default=now_ms + MOVES_DAYS * _DAY_MS)
        gone = [ms for ms in before if ms <= end_ms and ms not in set(after)]
        come = [ms for ms in after if ms <= end_ms and ms not in set(before)]
        if gone or come:
            told.append(
                {
                    "namespace": job.namespace, "job": job.name, "trigger": trigger.key,
                    "gone": [rfc3339(ms) for ms in gone[:MOVES_TOLD_MAX]], "gone_count": len(gone),
                    "come": [rfc3339(ms) for ms in come[:MOVES_TOLD_MAX]], "come_count": len(come),
                }
            )  # fmt: skip
    return {"moves": told, "moves_cut": len(numbers) > MOVES_LOOKED_MAX}
