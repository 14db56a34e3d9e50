"""Does each entry of a trigger that counts from the ends of its job's runs (`every: {delay}`) follow from
what it says it was counted from? Looked at one by one; that none is gone is told by the chain of hashes."""

from __future__ import annotations

from scheduler.store.connection import Store
from scheduler.store.tables import delays, triggers
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.ledger import Entry
from scheduler.ticks import delay_of
from scheduler.words.causes import Kind


def wrong(store: Store, entry: Entry) -> str:
    """What is wrong of it; empty: nothing, or it is of another kind."""
    if entry.kind != Kind.DELAY:
        return ""
    era = triggers.get(store, entry.trigger)
    key, _, rest = entry.key.partition("/")
    number, _, instant = rest.partition("/")
    if era is None or era.key != key or not (number.isdecimal() and instant.isdecimal()):
        return f"its key says no run and instant of its trigger: {entry.key}"
    run, anchor_ms = int(number), int(instant)
    if entry.first_ms != anchor_ms + delay_of(era.spec):
        return f"it is not the trigger's delay after {anchor_ms}"
    row = run_rows.get(store, run) if run else None
    if row is not None and (row.job, row.finished_ms) != (entry.job, anchor_ms):
        return f"run {run} of job {row.job} ended at {row.finished_ms}, not at {anchor_ms}"
    return ""


def overdue(store: Store, from_ms: int, to_ms: int, limit: int) -> int:
    """How many are due in (from_ms, to_ms] and have not fired."""
    return len(delays.due(store, from_ms, to_ms, limit))
