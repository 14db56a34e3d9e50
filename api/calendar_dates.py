"""The dates of calendars that jobs are prepared by, and which ticks another calendar would move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from api.instants import rfc3339
from scheduler.model.known_dates import KIND, NO_CALENDARS, Calendars, dates_of
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
    store: Store, refers: Iterable[Target], puts: Sequence[PreparedObject] = (), stage: str = ""
) -> Calendars:
    """The dates of the calendars among these: as they are put with the jobs, or were laid down in the stage,
    or are stored."""
    put = {(new.namespace, new.name): new.spec for new in puts if new.kind == KIND}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for target in refers:
        of = (target.namespace, target.name)
        if target.kind != KIND or of in found:
            continue
        spec = put.get(of) or _staged(store, stage, *of)
        if spec is None:
            row = object_rows.find(store, KIND, *of)
            spec = None if row is None else bytes(row.spec)
        if spec is not None:
            found[of] = dates_of(*of, spec)
    return lambda namespace, name: found.get((namespace, name)) or NO_CALENDARS(namespace, name)


def _staged(store: Store, name: str, namespace: str, calendar: str) -> bytes | None:
    stage = stages.named(store, name) if name else None
    item = None if stage is None else staged.find(store, stage.id, KIND, namespace, calendar)
    return None if item is None or item.is_deletion else _read_object(item.body).spec


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
