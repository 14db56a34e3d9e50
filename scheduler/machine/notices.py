"""Notices: what is posted on a board fires each trigger that waits for it, once.

Rules of this file:

1. Notices have serials, and each trigger hears of those of its board one after the other, the oldest first:
   how far it has come is a row. It makes a run, or ends without one, of each that has the key it asks for.
2. Nothing is lost: where the queue of its job is full, or the job is paused, the trigger stays where it is,
   and goes on once a run has ended, or the pause. What expires meanwhile is missed.
3. A notice that is taken down is heard by nobody who has not heard it yet. What ran of it runs on.
4. In a restored state nobody knows who had heard what was posted before: it is missed.
5. Bounded: so many notices a board, so many triggers a board (`rules.hooked`), so many notices a command.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.machine.context import OK, ROW, Context, done, refused
from scheduler.machine.rules.gates import Never
from scheduler.machine.steps import arriving, firing, gathering, plan_dates, posting, restoring
from scheduler.model.all_of import EVENT as ALL_OF
from scheduler.model.limits import NOTICE_MS_MAX
from scheduler.model.noticing import is_meant
from scheduler.store.tables import hearers, notices
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.notices import Notice
from scheduler.store.tables.triggers import Trigger
from scheduler.ticks import plan_days
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.causes import Cause, Kind
from scheduler.words.commands import DeleteNotice, FireNotices, PostNotice
from scheduler.words.outcomes import Code, Outcome

HEARD_AT_ONCE_MAX = 20
LOOK_AGAIN_MS = 10_000
"""While everything, or a namespace, is paused: nobody tells each trigger of the end."""


class _Waits(NamedTuple):
    """For the end of a pause, or room among the runs of its job (`is_full`); at the latest until then."""

    until_ms: int
    is_full: bool


def post_notice(ctx: Context, command: PostNotice) -> Outcome:
    if not object_rows.exists(ctx.store, notices.KIND, command.namespace, command.board):
        return refused(Code.NOT_FOUND, f"no board {command.namespace}/{command.board}")
    if not 1 <= command.lasts_ms <= NOTICE_MS_MAX:
        return refused(Code.INVALID, "a notice stays for a while, ten years at most")
    if not plan_days.is_one(command.plan_day):
        return refused(Code.INVALID, f"day {command.plan_day} is no date")
    day = command.plan_day
    if day is None:
        day = plan_dates.of(ctx, command.namespace, None)
    outcome = posting.post(
        ctx, command.namespace, command.board, command.notice, lasts_ms=command.lasts_ms, plan_day=day,
        poster=command.actor.name,
    )  # fmt: skip
    if outcome.ok and outcome.value is not None:
        said = f"{outcome.value['serial']} {outcome.value['key']}"
        ctx.changed("notice", command.namespace, command.board, after=said)
    return outcome


def delete_notice(ctx: Context, command: DeleteNotice) -> Outcome:
    board = f"{command.namespace}/{command.board}"
    notice = notices.get(ctx.store, command.serial)
    if notice is None or notice.deleted or notice.board != board:
        return refused(Code.NOT_FOUND, f"no notice {command.serial} on board {board}")
    notices.take_down(ctx.store, notice.serial)
    ctx.emit(e.NoticeDeleted(command.namespace, command.board, notice.serial, notice.key))
    said = f"{notice.serial} {notice.key}"
    ctx.changed("notice", command.namespace, command.board, before=said)
    return OK


def fire_notices(ctx: Context, command: FireNotices) -> Outcome:
    hearer = hearers.get(ctx.store, command.trigger, command.board)
    is_due = hearer is not None and hearer.at_ms is not None and hearer.at_ms <= ctx.stamp_ms
    if hearer is None or not is_due or hearer.through != command.through:
        return refused(Code.SUPERSEDED, f"trigger {command.trigger} is not at notice {command.through} now")
    era = trigger_rows.get(ctx.store, hearer.trigger)
    assert era is not None
    through = hearer.through
    for notice in notices.after(ctx.store, hearer.board, through, HEARD_AT_ONCE_MAX):
        if ctx.room <= 0:
            break
        ctx.room -= ROW
        waits = None
        if era.event == ALL_OF:
            gathering.hear_notice(ctx, era, notice)
        elif is_meant(era.spec, notice.key, notice.plan_day):
            waits = _fire(ctx, hearer.board, era, notice)
        if waits is not None:
            hearers.move(ctx.store, hearer, through, waits.until_ms, is_full=waits.is_full)
            return done(through=through)
        through = notice.serial
    more = notices.last_of(ctx.store, hearer.board) > through
    hearers.move(ctx.store, hearer, through, ctx.stamp_ms if more else None, is_full=False)
    return done(through=through)


def _fire(ctx: Context, of: str, era: Trigger, notice: Notice) -> _Waits | None:
    """What the trigger waits for before it has done with this notice; None: it has."""
    trigger = trigger_rows.firing(ctx.store, era.id)  # as it is behind the notice before
    assert trigger is not None
    cause = Cause(Kind.NOTICE, f"{era.key}/{of.partition('/')[2]}/{notice.serial}", trigger.id)
    due_ms = notice.posted_ms
    if notice.expires_ms <= ctx.stamp_ms:
        firing.end(ctx, cause, trigger, due_ms, Never("missed", reasons.WINDOW))
        return None
    missed = restoring.missed(ctx, due_ms)
    outcome = arriving.fire(ctx, cause, trigger, due_ms=due_ms, missed=missed, plan_day=notice.plan_day)
    told = outcome.value or {}
    if told.get("paused"):
        return _Waits(min(ctx.stamp_ms + LOOK_AGAIN_MS, notice.expires_ms), is_full=False)
    return _Waits(notice.expires_ms, is_full=True) if told.get("full") else None
