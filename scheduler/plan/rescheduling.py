"""What jobs have of a schedule that was edited, as the state says it now: some a plan, as plans follow each
other. A trigger that cannot be read here is due at once all the same, for a leader that can.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from scheduler.machine.rules import substitutes
from scheduler.model.known_dates import KIND as CALENDAR
from scheduler.model.known_dates import NO_CALENDARS, dates_of
from scheduler.model.known_schedules import KIND, NO_SCHEDULES, InForce, Schedules, prepared_of
from scheduler.model.named import resolved
from scheduler.model.quantities import parse_duration_ms
from scheduler.store.connection import Store
from scheduler.store.tables import job_schedules, zones
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.pins import Redate
from scheduler.words.commands import PreparedObject, PreparedTrigger, Reschedule, Rescheduled

JOBS_A_PLAN = 200
JOBS_A_COMMAND = 50
TRIGGERS_A_COMMAND = 200
BYTES_A_COMMAND = 128 << 10
COMMANDS_A_PLAN = 8
SPEC_BYTES_A_PLAN = 4 << 20  #: of jobs that are read


def commands(store: Store, epoch: int, turn: Redate) -> list[Reschedule]:
    schedule = substitutes.known(store, turn.namespace, turn.name)
    found = job_schedules.holders(store, turn.namespace, turn.name, turn.pin, JOBS_A_PLAN)
    if schedule is None or not found:
        return [Reschedule(epoch, turn.id, ())]
    calendars = Calendars(store)
    planned: list[Reschedule] = []
    part: list[Rescheduled] = []
    triggers = size = read = 0
    for job in found:
        row = job_rows.get(store, job)
        if row is None:
            continue
        spec = bytes(row.spec)
        read += len(spec)
        new = of_job(spec, schedule, turn.at_ms, calendars)
        bytes_of_it = sum(len(each.spec) for each in new)
        if part and (
            len(part) == JOBS_A_COMMAND
            or triggers + len(new) > TRIGGERS_A_COMMAND
            or size + bytes_of_it > BYTES_A_COMMAND
        ):
            planned.append(Reschedule(epoch, turn.id, tuple(part)))
            part, triggers, size = [], 0, 0
            if len(planned) == COMMANDS_A_PLAN or read > SPEC_BYTES_A_PLAN:
                return planned
        part.append(Rescheduled(job, new))
        triggers, size = triggers + len(new), size + bytes_of_it
    return [*planned, Reschedule(epoch, turn.id, tuple(part))]


def of_job(
    spec: bytes, schedule: InForce, after_ms: int, calendars: Calendars
) -> tuple[PreparedTrigger, ...]:
    """All triggers that the job of this text has of the schedule."""
    job = json.loads(spec)
    namespace, name = job["namespace"], job["job"]
    found: list[PreparedTrigger] = []
    for trigger in job["triggers"]:
        named = trigger.get(KIND)
        if named is None or resolved(named, namespace) != (schedule.namespace, schedule.name):
            continue
        jitter = trigger.get("jitter")
        found += prepared_of(
            schedule, namespace, name, after_ms, named=named, calendars=calendars,
            jitter_most_ms=None if jitter is None else parse_duration_ms(jitter),
        )  # fmt: skip
    return tuple(found)


def schedules_of(store: Store) -> Schedules:
    """What schedules mean, as they are stored."""

    def known(namespace: str, name: str) -> InForce:
        return substitutes.known(store, namespace, name) or NO_SCHEDULES(namespace, name)

    return known


class Calendars:
    """The dates of calendars as they are put, or stored, each read once; the rules of zones that are in
    force."""

    def __init__(self, store: Store, puts: Sequence[PreparedObject] = ()) -> None:
        self._store = store
        self._known = {
            (new.namespace, new.name): dates_of(new.namespace, new.name, new.spec)
            for new in puts
            if new.kind == CALENDAR
        }

    def __call__(self, namespace: str, name: str) -> dict[str, Any]:
        if not namespace:
            return {"pin": zones.rules_in(zones.current(self._store), name) or ""}
        of = namespace, name
        if of not in self._known:
            row = object_rows.find(self._store, CALENDAR, *of)
            self._known[of] = NO_CALENDARS(*of) if row is None else dates_of(*of, bytes(row.spec))
        return self._known[of]
