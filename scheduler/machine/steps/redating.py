"""A calendar has other dates: what would decide by the old ones waits until its triggers have the new ones.

Rules of this file:

1. All of a calendar's triggers change at one instant, the stamp of the edit, however long it takes to get
   round to them (`machine.redates`): no tick after it is decided by the former dates.
2. Meanwhile edits of what is concerned wait: of the calendar's dates, and of jobs that hold the former ones.
"""

from __future__ import annotations

from scheduler.machine.context import Context, refused
from scheduler.store.tables import pins
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.refs import Named
from scheduler.words import events as e
from scheduler.words.outcomes import Code, Outcome

WAITS = "its triggers take over the new dates of a calendar: edits wait for that"


def begin(ctx: Context, what: Named, pin: str, at_ms: int) -> None:
    """From this instant on the calendar has the dates of this pin."""
    if pins.holders(ctx.store, what.namespace, what.name, pin, 1):
        pins.begin(ctx.store, what.namespace, what.name, pin, at_ms)
        ctx.state.redates += 1
        ctx.emit(e.CalendarMoved(what.namespace, what.name, live=False))


def refuse_stale_tick(ctx: Context, trigger: int, last_ms: int) -> Outcome | None:
    """The refusal of a decision up to this instant by dates that are the calendar's no more."""
    if not ctx.state.redates:
        return None
    since_ms = pins.stale_since(ctx.store, trigger)
    if since_ms is None or last_ms <= since_ms:
        return None
    return refused(Code.SUPERSEDED, f"trigger {trigger} holds dates that its calendar had until {since_ms}")


def refuse_edit_of_job(ctx: Context, job: int) -> Outcome | None:
    if ctx.state.redates:
        for trigger in trigger_rows.live(ctx.store, job):
            if pins.stale_since(ctx.store, trigger.id) is not None:
                return refused(Code.SWITCHING, WAITS)
    return None


def refuse_edit_of_object(ctx: Context, what: Named) -> Outcome | None:
    if ctx.state.redates and pins.of(ctx.store, what.namespace, what.name) is not None:
        return refused(Code.SWITCHING, f"{what}: {WAITS}")
    return None
