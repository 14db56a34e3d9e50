"""The ticks of a job in (from, to], each with its one outcome, merged over its triggers, ranges expanded; and
what else fired one of its triggers.

Order: by instant, then by trigger; what is no tick then in the order of its decision. A tick that is due and
has no entry yet is pending, with its run once it fired. What a page costs is bounded by its limit and the
number of the job's trigger eras that meet the range.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from api.cursors import make_cursor
from api.instants import rfc3339
from api.jobs.reading import never_was
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.reads import runs as run_reads
from scheduler.store.reads import triggers as trigger_reads
from scheduler.store.tables import changed_ticks, reservations
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.ledger import Entry
from scheduler.store.tables.triggers import Trigger
from scheduler.ticks import is_unknown, schedule, shared_of
from scheduler.words import causes

Tick = tuple[int, int, int, dict[str, Any]]  #: (instant, trigger, serial, JSON)
UNDECIDED = 1 << 61  #: serials of what has no entry yet come after all others; those of ticks are 0


def ticks_page(
    store: Store,
    namespace: str,
    name: str,
    *,
    from_ms: int,
    to_ms: int,
    now_ms: int,
    after: tuple[int, int, int] | None,
    limit: int,
    outcome: str | None = None,
) -> dict[str, Any]:
    jobs = job_reads.ids(store, namespace, name)
    if not jobs:
        raise never_was(store, namespace, name)
    start_ms = from_ms if after is None else max(from_ms, after[0] - 1)
    streams = [
        of_event(store, trigger, start_ms, to_ms, limit + 2)
        if trigger.event
        else of_era(store, trigger, start_ms, to_ms, now_ms, limit + 2)
        for job in jobs
        for trigger in trigger_reads.of_job_in(store, job, start_ms, to_ms)
    ]
    items: list[dict[str, Any]] = []
    last: tuple[int, int, int] | None = None
    for *place, document in heapq.merge(*streams, key=lambda tick: tick[:3]):
        at_ms, trigger_id, serial = place
        if after is not None and (at_ms, trigger_id, serial) <= after:
            continue
        if outcome is not None and document["outcome"] != outcome:
            continue
        if len(items) == limit:
            assert last is not None
            return {"items": items, "next_cursor": make_cursor("ticks", *last)}
        items.append(document)
        last = (at_ms, trigger_id, serial)
    return {"items": items, "next_cursor": None}


def of_era(
    store: Store, trigger: Trigger, from_ms: int, to_ms: int, now_ms: int, page: int
) -> Iterator[Tick]:
    """Every tick of one era up to `now_ms`, in order, read page by page as it is asked for; with an instant
    to come for `now_ms` those that are not due yet are pending too."""
    position_ms = from_ms
    while True:
        rows = ledger_reads.of_trigger(store, trigger.id, position_ms, to_ms, limit=page)
        decided: list[Tick] = []
        for entry, hash in rows:
            for at_ms in _instants(trigger, entry, position_ms, to_ms, page):
                decided.append((at_ms, trigger.id, 0, _decided(trigger, entry, hash, at_ms)))
                if len(decided) >= page:
                    break
            if len(decided) >= page:
                break
        whole = len(decided) < page and len(rows) < page
        end_ms = to_ms if whole else decided[-1][0]
        undecided: dict[int, int] = dict(
            run_reads.undecided(store, trigger.id, position_ms, end_ms, 100 * page)
        )
        for at_ms in changed_ticks.left_behind(store, trigger.job, trigger.key, position_ms, end_ms):
            undecided.setdefault(at_ms, 0)
        for at_ms in reservations.pending(store, trigger.id, position_ms, min(end_ms, now_ms)):
            undecided.setdefault(at_ms, 0)
        came = frozenset(trigger_rows.ahead(store, trigger.job, trigger.key, position_ms, end_ms))
        for at_ms in _due(trigger, position_ms, min(end_ms, now_ms), page):
            if at_ms not in came:
                undecided.setdefault(at_ms, 0)
        for tick in decided:
            undecided.pop(tick[0], None)
        pending: list[Tick] = [
            (at_ms, trigger.id, 0, _pending(trigger, at_ms, run or None))
            for at_ms, run in sorted(undecided.items())
        ]
        yield from heapq.merge(decided, pending, key=lambda tick: tick[0])
        if whole:
            return
        position_ms = end_ms


def of_event(store: Store, trigger: Trigger, from_ms: int, to_ms: int, page: int) -> Iterator[Tick]:
    """All that fired a trigger without instants, in order."""
    pending: list[Tick] = [
        (at_ms, trigger.id, UNDECIDED + run, _pending(trigger, at_ms, run, key))
        for at_ms, run, key in run_reads.undecided_events(
            store, trigger.job, trigger.id, from_ms, to_ms, 100 * page
        )
    ]
    return heapq.merge(_events(store, trigger, from_ms, to_ms, page), pending, key=lambda tick: tick[:3])


def _events(store: Store, trigger: Trigger, from_ms: int, to_ms: int, page: int) -> Iterator[Tick]:
    after = (from_ms, UNDECIDED)
    while rows := ledger_reads.of_events(store, trigger.id, after, to_ms, page):
        for entry, hash in rows:
            yield entry.first_ms, trigger.id, entry.seq, _decided(trigger, entry, hash, entry.first_ms)
        after = (entry.first_ms, entry.seq)


def _instants(trigger: Trigger, entry: Entry, from_ms: int, to_ms: int, limit: int) -> list[int]:
    if entry.ticks == 1:
        return [entry.first_ms]
    start_ms = max(from_ms, entry.first_ms - 1)
    return schedule(trigger.spec).between(start_ms, min(to_ms, entry.last_ms), limit)


def _due(trigger: Trigger, from_ms: int, to_ms: int, limit: int) -> list[int]:
    """Due instants behind the watermark's front: nothing fired for them yet."""
    if trigger.next_due_ms is None:
        return []
    start_ms = max(from_ms, trigger.next_due_ms - 1)
    end_ms = to_ms if trigger.until_ms is None else min(to_ms, trigger.until_ms)
    return schedule(trigger.spec).between(start_ms, end_ms, limit) if end_ms > start_ms else []


def _decided(trigger: Trigger, entry: Entry, hash: bytes, at_ms: int) -> dict[str, Any]:
    return {
        "at": rfc3339(at_ms),
        "due": rfc3339(_due_ms(trigger, at_ms)),
        "trigger": trigger.key,
        "outcome": entry.outcome,
        "reason": entry.reason or None,
        "run": entry.run or None,
        "into": rfc3339(entry.into_ms),
        "cause": entry.kind,
        "cause_key": causes.text(entry.key, trigger.id, entry.first_ms, entry.last_ms),
        "decided_at": rfc3339(entry.decided_ms),
        "epoch": entry.epoch,
        "index": entry.idx,
        "tzdata": entry.tzdata,
        "hash": hash.hex(),
        "seq": entry.seq,
        **_flags(trigger, at_ms),
    }


def _due_ms(trigger: Trigger, at_ms: int) -> int:
    """What is no tick is told by the instant at which it fires, its delay over."""
    return at_ms if trigger.event else at_ms + trigger.jitter_ms


def _pending(trigger: Trigger, at_ms: int, run: int | None, key: str = "") -> dict[str, Any]:
    return {
        "at": rfc3339(at_ms),
        "due": rfc3339(_due_ms(trigger, at_ms)),
        "trigger": trigger.key,
        "outcome": "pending",
        "reason": None,
        "run": run,
        "into": None,
        "cause": None,
        "cause_key": causes.text(key, trigger.id, at_ms),
        "decided_at": None,
        "epoch": None,
        "index": None,
        "tzdata": None,
        "hash": None,
        "seq": None,
        **_flags(trigger, at_ms),
    }


def _flags(trigger: Trigger, at_ms: int) -> dict[str, Any]:
    unknown = {"calendar_unknown": True} if is_unknown(trigger.spec, at_ms) else {}
    return {**unknown, **shared_json(trigger.spec)}


def shared_json(spec: bytes) -> dict[str, str]:
    """The schedule that gave a tick, and what took its place."""
    of, substitute = shared_of(spec)
    return ({"schedule": of} if of else {}) | ({"substitute": substitute} if substitute else {})
