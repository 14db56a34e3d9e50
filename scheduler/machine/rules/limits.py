"""By when what is due is to start, and to end (`model.expected`): a run as it is made, or a tick to come."""

from __future__ import annotations

import json
from typing import NamedTuple

from scheduler.model.expected import RUNS_MIN, Expected, risk_ms
from scheduler.store.connection import Store
from scheduler.store.tables import durations, namespaces, zones
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.durations import Usual
from scheduler.ticks import plan_days
from scheduler.ticks.zones import Zone


class Due(NamedTuple):
    """What is due."""

    namespace: str
    trigger: int  #: the era; 0: none
    tick_ms: int | None
    due_ms: int
    plan_day: int


class Limits(NamedTuple):
    start_ms: int | None
    end_ms: int | None
    risk_ms: int | None  #: from when on it will not have ended by then, unless it has started


NOTHING = Limits(None, None, None)


def limits(
    store: Store, expected: Expected, due: Due, usual_ms: int | None, digest: str | None = None
) -> Limits:
    """`digest`: of the zone data in force, where that may be newer than what is written."""
    if expected.start_by is None and expected.end_by is None:
        return NOTHING
    zone = _zone(store, expected, due, digest)
    begins_ms, _ = plan_days.span_of(namespaces.plan_days_of(store, due.namespace), due.plan_day)
    start_ms, end_ms = (
        None
        if by is None
        else by.instant_ms(zone, due_ms=due.due_ms, tick_ms=due.tick_ms, begins_ms=begins_ms)
        for by in (expected.start_by, expected.end_by)
    )
    return Limits(start_ms, end_ms, None if end_ms is None else risk_ms(end_ms, usual_ms))


def usual_ms(found: Usual | None) -> int | None:
    """What runs take; None: nobody knows."""
    return None if found is None or found.runs < RUNS_MIN else found.median_ms


def usual_of(store: Store, job: int, expected: Expected) -> int | None:
    return usual_ms(durations.usual(store, job)) if expected.asks_usual else None


def _zone(store: Store, expected: Expected, due: Due, digest: str | None) -> Zone:
    if not expected.has_clock:
        return zones.clock(store, "", "")
    tz = expected.tz
    era = trigger_rows.get(store, due.trigger) if not tz and due.trigger else None
    if era is not None:
        tz = json.loads(era.spec).get("tz") or ""
    if not tz:
        row = namespaces.allowance(store, due.namespace)
        tz = "" if row is None else row.plan_tz
    tz = "" if tz == "UTC" else tz
    return zones.in_force(store, tz) if digest is None else zones.clock(store, digest, tz)
