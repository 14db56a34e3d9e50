"""Something came for which a trigger waits together with other things (`all_of`).

Rules of this file:

1. What comes has a plan date, and is noted for this date. The first opens it: from then on the trigger waits
   for all the rest as long as it says (`within`). The newest end of each of its jobs counts.
2. When all has come it fires, once for the date, as of the last that came or of its time of the day. Its
   cause is the date. What comes for a date that is over is nothing to it.
3. Where the queue of its job has no room the firing waits for that (`store.tables.postponed`); of very many
   dates that wait so, the oldest is given up.
4. What lacks when its time is over, is missed, and said; of very many dates the oldest.
5. An edit that keeps the trigger keeps what has come, and its time of the day is the new one (`listening`).
   It fires nothing: what is complete by it is found when more comes, or the time is over.
"""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import gathered
from scheduler.machine.rules.gates import Never
from scheduler.machine.rules.gathered import OPEN_MAX, WAITING_MAX
from scheduler.machine.steps import arriving, firing, postponing, restoring
from scheduler.model.all_of import AllOf, read_all_of, words
from scheduler.store.tables import gatherings, postponed
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.ends import End
from scheduler.store.tables.gatherings import Gathering
from scheduler.store.tables.notices import Notice
from scheduler.store.tables.postponed import Postponed
from scheduler.store.tables.triggers import FiringTrigger, Trigger
from scheduler.ticks import plan_days
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.causes import Cause, Kind


def hear_end(ctx: Context, era: Trigger, end: End) -> None:
    all_of = _read(era)
    row = gatherings.get(ctx.store, era.job, era.key, end.plan_day)
    if end.verdict:  # of one that is not the newest, or decided something already
        known = {} if row is None else gathered.come(ctx.store, row).ends
        if end.parent not in known or known[end.parent].run != end.run:
            return
    row = _opened(ctx, era, all_of, row, end.plan_day, end.at_ms)
    if row is not None:
        gatherings.note(ctx.store, row, end.parent, end.id)
        _look(ctx, era, all_of, row._replace(missed=row.missed or end.missed), end.at_ms)


def hear_notice(ctx: Context, era: Trigger, notice: Notice) -> None:
    all_of = _read(era)
    meant = [each for each in all_of.notices if each.is_meant(notice.board, notice.key, notice.plan_day)]
    if not meant:
        return
    row = gatherings.get(ctx.store, era.job, era.key, notice.plan_day)
    row = _opened(ctx, era, all_of, row, notice.plan_day, notice.posted_ms)
    if row is not None:
        for each in meant:
            gatherings.note(ctx.store, row, each.part, notice.serial)
        _look(ctx, era, all_of, row, notice.posted_ms)


def go_on(ctx: Context, era: Trigger, row: Gathering) -> None:
    """Its time of the day has come, or its time is over."""
    all_of = _read(era)
    at_ms = min(ctx.stamp_ms, row.until_ms)
    come = gathered.come(ctx.store, row)
    lacking = come.lacking(all_of, at_ms, row.floor_ms)
    if not lacking:
        _complete(ctx, row, max(row.floor_ms, at_ms if row.due_ms is None else row.due_ms))
    elif ctx.stamp_ms >= row.until_ms:
        lacked = "; ".join(map(words, lacking))
        _miss(ctx, row, restoring.missed(ctx, row.until_ms) or reasons.WINDOW, lacked)
    else:  # an edit asks for a later time of the day, or for more
        again_ms = row.floor_ms if row.floor_ms > ctx.stamp_ms else row.until_ms
        gatherings.put(ctx.store, row._replace(due_ms=None, at_ms=min(again_ms, row.until_ms)))


def _read(era: Trigger) -> AllOf:
    all_of = read_all_of(era.spec)
    assert all_of is not None, "no other trigger gathers anything"
    return all_of


def _opened(
    ctx: Context, era: Trigger, all_of: AllOf, row: Gathering | None, plan_day: int, at_ms: int
) -> Gathering | None:
    """The plan date that goes on; None: it is over, or will be as soon as somebody looks at it."""
    if row is not None and not row.ended:
        return row if at_ms < row.until_ms else None
    if row is not None and row.ended != gatherings.DROPPED:
        return None
    if row is not None:
        gatherings.forget(ctx.store, row)
    standing = gatherings.open_of(ctx.store, era.id, OPEN_MAX)
    if len(standing) == OPEN_MAX:
        _miss(ctx, standing[0], reasons.BUFFER_FULL, f"{OPEN_MAX} later dates wait")
    floor_ms = gathered.floor_ms(ctx.store, era.namespace, all_of, plan_day)
    until_ms = at_ms + all_of.within_ms
    return Gathering(
        era.job, era.key, plan_day, era.id, at_ms, floor_ms, until_ms, None, "", until_ms, "", ""
    )


def _look(ctx: Context, era: Trigger, all_of: AllOf, row: Gathering, at_ms: int) -> None:
    """Something has come for this date."""
    come = gathered.come(ctx.store, row)
    due_ms = max(at_ms if row.due_ms is None else row.due_ms, row.floor_ms)
    if due_ms > row.until_ms or come.lacking(all_of, due_ms, row.floor_ms):
        gatherings.put(ctx.store, row._replace(due_ms=None, at_ms=row.until_ms))
    elif due_ms <= ctx.stamp_ms:
        _complete(ctx, row, due_ms)
    else:
        gatherings.put(ctx.store, row._replace(due_ms=due_ms, at_ms=due_ms))


def _cause_key(row: Gathering) -> str:
    return f"{row.key}/{plan_days.text_of(row.plan_day)}"


def _complete(ctx: Context, row: Gathering, due_ms: int) -> None:
    gatherings.put(ctx.store, row._replace(due_ms=due_ms, at_ms=None, ended=gatherings.FIRED))
    trigger = trigger_rows.firing(ctx.store, row.trigger)
    assert trigger is not None
    waits = Postponed(row.trigger, _cause_key(row), Kind.ALL_OF.value, row.job, due_ms, None)
    fire(ctx, trigger, waits, row.missed)


def fire(ctx: Context, trigger: FiringTrigger, row: Postponed, missed: str) -> None:
    """It makes its run, ends without one, or waits for room."""
    outcome = arriving.fire(
        ctx,
        Cause(Kind.ALL_OF, row.cause_key, trigger.id),
        trigger,
        due_ms=row.due_ms,
        missed=missed or restoring.missed(ctx, row.due_ms),
        plan_day=plan_days.parse(row.cause_key.rpartition("/")[2]),
    )
    if (outcome.value or {}).get("full"):
        postponed.put(ctx.store, row._replace(at_ms=None))
        if oldest := postponed.beyond(ctx.store, trigger.id, WAITING_MAX):
            assert trigger.namespace is not None, "what waits of a deleted job is given up with it"
            postponing.give_up(
                ctx, oldest, trigger.namespace, trigger.name, "missed", reasons.BUFFER_FULL
            )
    else:
        postponed.drop(ctx.store, trigger.id, row.cause_key)


def _miss(ctx: Context, row: Gathering, reason: str, lacked: str) -> None:
    trigger = trigger_rows.firing(ctx.store, row.trigger)
    assert trigger is not None
    assert trigger.namespace is not None, "what a deleted job gathers is dropped with it"
    gatherings.put(ctx.store, row._replace(at_ms=None, ended=gatherings.MISSED, lacked=lacked))
    cause = Cause(Kind.ALL_OF, _cause_key(row), row.trigger)
    due_ms = min(row.until_ms, ctx.stamp_ms)
    firing.end(ctx, cause, trigger, due_ms, Never("missed", reason))
    if reason != reasons.RESTORED:
        ctx.emit(
            e.GatheringMissed(row.job, trigger.namespace, trigger.name, row.key, row.plan_day, lacked)
        )
