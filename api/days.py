"""Plan dates of a namespace, and what people said of them and of their ticks, as JSON."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from api.instants import rfc3339
from scheduler.store.connection import Store
from scheduler.store.tables import closed_dates, namespaces
from scheduler.store.tables.changed_ticks import FIRED, MOVED, ChangedTick
from scheduler.store.tables.closed_dates import ClosedDate
from scheduler.ticks import plan_days


class Day(NamedTuple):
    namespace: str
    date: int
    from_ms: int
    until_ms: int  #: the first instant that is not of it
    now_ms: int
    closed: ClosedDate | None  #: nothing more fires for it
    closes_ms: int | None  #: when it closes by itself

    def has(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms < self.until_ms


def day_of(store: Store, namespace: str, date: int | None, now_ms: int) -> Day:
    """Of this date; None: of the one that it is now."""
    given = namespaces.plan_days_of(store, namespace)
    date = plan_days.day_of(given, now_ms) if date is None else date
    closed, span = closed_dates.get(store, namespace, date), plan_days.span_of(given, date)
    closing = None if closed else closed_dates.closing(store, namespace)
    if closing is None or closing.at_ms is None or date < closing.before_day:
        return Day(namespace, date, *span, now_ms, closed, None)
    return Day(namespace, date, *span, now_ms, closed, span[1] + closing.after_ms)


def closed_json(row: ClosedDate | None) -> dict[str, Any] | None:
    return None if row is None else {"since": rfc3339(row.at_ms), "reason": row.reason, "actor": row.actor}


def change_json(row: ChangedTick | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "act": MOVED if row.act == FIRED else row.act,
        "to": rfc3339(row.move_ms),
        "params": json.loads(row.params) if row.params else None,
        "since": rfc3339(row.since_ms),
        "reason": row.reason or None,
        "actor": row.actor or None,
    }
