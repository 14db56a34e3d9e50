"""The calendars, schedules and zones that jobs are prepared by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.zone_data import zone_rules
from scheduler.machine.rules import substitutes
from scheduler.model.known_dates import KIND, NO_CALENDARS, Calendars, dates_of
from scheduler.model.known_schedules import KIND as SCHEDULE
from scheduler.model.known_schedules import NO_SCHEDULES, InForce, Schedules
from scheduler.model.known_schedules import calendars_of as calendars_named
from scheduler.model.named import Target
from scheduler.store.connection import Store
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import staged, stages, zones
from scheduler.words import codec
from scheduler.words.commands import PreparedObject

TRIES = 3  #: to prepare by calendars that are edited meanwhile

_read_object = codec.reader_of(PreparedObject)


def calendars_of(
    store: Store, refers: Sequence[Target], puts: Sequence[PreparedObject] = (), stage: str = ""
) -> Calendars:
    """The dates of the calendars among these: as they are put with the jobs, or were laid down in the stage,
    or are stored; of schedules among these, those that their triggers name. And the rules of every zone, as
    they are in force."""
    shared = schedules_of(store, puts, stage)
    named = [each for each in refers if each.kind == SCHEDULE]
    by_schedule = [of for each in named for of in calendars_named(shared(each.namespace, each.name))]
    refers = [*refers, *(Target(KIND, *of, "") for of in by_schedule)]
    put = {(new.namespace, new.name): new.spec for new in puts if new.kind == KIND}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for target in refers:
        of = (target.namespace, target.name)
        if target.kind != KIND or of in found:
            continue
        laid = staged_object(store, stage, KIND, *of)
        spec = put.get(of) or (None if laid is None else laid.spec)
        if spec is None:
            row = object_rows.find(store, KIND, *of)
            spec = None if row is None else bytes(row.spec)
        if spec is not None:
            found[of] = dates_of(*of, spec)
    in_force = zones.current(store)

    def known(namespace: str, name: str) -> dict[str, Any]:
        if namespace:
            return found.get((namespace, name)) or NO_CALENDARS(namespace, name)
        return {"pin": zone_rules(in_force, name)}

    return known


def schedules_of(
    store: Store, puts: Sequence[PreparedObject] = (), stage: str = ""
) -> Schedules:
    """What schedules mean: as they are put with the jobs, or were laid down in the stage, or are stored. Of a
    stage what takes the place of one may be missed: the state says what its jobs have once it is live."""
    beside: dict[tuple[str, str], PreparedObject | None] = dict(substitutes.put_with(puts))

    def known(namespace: str, name: str) -> InForce:
        of = (namespace, name)
        if of not in beside and (laid := staged_object(store, stage, SCHEDULE, *of)) is not None:
            beside[of] = laid
        return substitutes.known(store, namespace, name, beside) or NO_SCHEDULES(namespace, name)

    return known


def staged_object(
    store: Store, stage_name: str, kind: str, namespace: str, name: str
) -> PreparedObject | None:
    stage = stages.named(store, stage_name) if stage_name else None
    item = None if stage is None else staged.find(store, stage.id, kind, namespace, name)
    return None if item is None or item.is_deletion else _read_object(item.body)
