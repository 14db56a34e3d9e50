"""Triggers that wait for ends of runs, or for notices, hear of them from when their era begins until it ends.

Rules of this file:

1. Ends are numbered, and an era hears of a range of them: no clock says what it heard of.
2. An edit loses no end: where a trigger goes on with another condition (an id that stays), the new era goes
   on behind the last end that the old one was looked at for, with what that had not consumed of jobs that
   both name, and with the firing that waits for room; or with the plan dates of which something has come.
"""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import gathered
from scheduler.model.after import EVENT as AFTER
from scheduler.model.after import read_after
from scheduler.model.all_of import EVENT as ALL_OF
from scheduler.model.all_of import AllOf, boards_of, read_all_of
from scheduler.store.tables import ends, gatherings, hearers, listeners, notices, postponed, results
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.hearers import Hearer
from scheduler.store.tables.listeners import Listener
from scheduler.store.tables.triggers import Trigger


def begin(ctx: Context, trigger: int, job: int, event: str, spec: bytes, former: int) -> None:
    """The era of this trigger begins; `former`: in place of that one, 0: of none."""
    for board in boards_of(event, spec):
        _begin_hearing(ctx, trigger, job, board, former)
    all_of = read_all_of(spec)
    asked = all_of or read_after(spec)
    if asked is None:
        return
    row = job_rows.standing(ctx.store, job)
    assert row is not None, "a job's row is written before its triggers"
    if all_of is not None and former:
        _go_on_gathering(ctx, trigger, row.namespace, all_of, former)
    heard = listeners.of_trigger(ctx.store, former) if former else []
    from_end = max((each.until_end or 0 for each in heard), default=ends.last(ctx.store))
    parents = [str(parent) for parent in asked.parents]
    for parent in parents:
        child, loose = f"{row.namespace}/{row.name}", int(asked.allow_cycle)
        listeners.insert(ctx.store, Listener(trigger, parent, child, loose, from_end, None))
    if heard and event == AFTER:
        results.hand_on(ctx.store, former, trigger, parents)
        postponed.hand_on(ctx.store, former, trigger)


def _go_on_gathering(ctx: Context, trigger: int, namespace: str, all_of: AllOf, former: int) -> None:
    gatherings.hand_on(ctx.store, former, trigger)
    for row in gatherings.open_of(ctx.store, trigger, gathered.OPEN_MAX):
        floor_ms = gathered.floor_ms(ctx.store, namespace, all_of, row.plan_day)
        if floor_ms != row.floor_ms:
            gatherings.put(ctx.store, row._replace(floor_ms=floor_ms))


def _begin_hearing(ctx: Context, trigger: int, job: int, board: str, former: int) -> None:
    """Of the notices of this board: of the next one, or where the era before it was."""
    before = hearers.get(ctx.store, former, board) if former else None
    through = notices.last(ctx.store) if before is None else before.through
    at_ms = None if before is None else ctx.stamp_ms
    hearer = Hearer(trigger, board, job, through, None, through, at_ms, 0)
    hearers.insert(ctx.store, hearer)


def end(ctx: Context, trigger: int) -> None:
    hearers.close(ctx.store, trigger)
    listeners.close(ctx.store, trigger, ends.seen_by(ctx.store, trigger))


def forget(ctx: Context, trigger: Trigger) -> None:
    """Nothing goes on with what this trigger had not consumed."""
    if trigger.event == AFTER:
        results.drop(ctx.store, trigger.id)
    elif trigger.event == ALL_OF:
        gatherings.drop(ctx.store, trigger.id)
