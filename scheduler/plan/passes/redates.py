"""Triggers take over the dates of a calendar that was edited or the rules of a zone that moved, jobs the
triggers of a schedule: some a plan, as plans follow each other.

A trigger whose instants cannot be computed here gets its new era all the same: it stays due there, for a
leader that can, and keeps nobody waiting.
"""

from __future__ import annotations

from collections.abc import Callable

from scheduler.model.known_dates import KIND, dates_of
from scheduler.model.known_schedules import KIND as SCHEDULE
from scheduler.plan import rescheduling
from scheduler.plan.view import Outlook, View
from scheduler.store.connection import Store
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import pins, zones
from scheduler.store.tables import triggers as trigger_rows
from scheduler.ticks import SpecError, repinned, ruled, schedule
from scheduler.words.commands import Command, Redate, Redated

TRIGGERS_A_PLAN = 400
TRIGGERS_A_COMMAND = 50
BYTES_A_COMMAND = 128 << 10
COMMANDS_A_PLAN = 8


def plan(view: View) -> list[Command]:
    turn = pins.first(view.store)
    if turn is None:
        return []
    if turn.kind == SCHEDULE:
        return [] if _stage_is_live(view.store) else [*rescheduling.commands(view.store, view.epoch, turn)]
    renew = _renewing(view, turn)
    found = pins.holders(view.store, turn.namespace, turn.name, turn.pin, TRIGGERS_A_PLAN)
    if renew is None or not found:
        return [Redate(view.epoch, turn.id, ())]
    commands: list[Command] = []
    part: list[Redated] = []
    size = 0
    for number in found:
        trigger = trigger_rows.get(view.store, number)
        if trigger is None:
            continue
        spec = renew(trigger.spec)
        if part and (len(part) == TRIGGERS_A_COMMAND or size + len(spec) > BYTES_A_COMMAND):
            commands.append(Redate(view.epoch, turn.id, tuple(part)))
            part, size = [], 0
            if len(commands) == COMMANDS_A_PLAN:
                return commands
        part.append(Redated(number, spec, _first_ms(spec, turn.at_ms)))
        size += len(spec)
    return [*commands, Redate(view.epoch, turn.id, tuple(part))]


def _renewing(view: View, turn: pins.Redate) -> Callable[[bytes], bytes] | None:
    """What makes a spec one by the new dates or rules; None: the calendar is no more."""
    if not turn.namespace:
        zones.learn(view.store, turn.pin)
        return lambda spec: ruled(spec, turn.pin)
    calendar = object_rows.find(view.store, KIND, turn.namespace, turn.name)
    if calendar is None:
        return None
    dates = dates_of(turn.namespace, turn.name, calendar.spec)
    return lambda spec: repinned(spec, dates)


def _first_ms(spec: bytes, at_ms: int) -> int | None:
    try:
        return schedule(spec).next(at_ms)
    except SpecError:
        return at_ms


def wake(outlook: Outlook) -> int | None:
    turn = pins.first(outlook.store)
    if turn is None or (turn.kind == SCHEDULE and _stage_is_live(outlook.store)):
        return None  # the stage's own steps wake it
    return 0


def _stage_is_live(store: Store) -> bool:
    return bool(store.value("SELECT stage FROM state"))
