"""Triggers that wait until several things have all come (`steps.gathering`) go on by the clock: the time of
the day that they wait for has come, or they have waited long enough.

Rules of this file:

1. The compare-and-set on the instant makes each look happen once. It is refused while the trigger has not
   heard of all that came by then: what came in time counts, however late anybody got round to it.
"""

from __future__ import annotations

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import gathered
from scheduler.machine.steps import gathering
from scheduler.store.tables import gatherings
from scheduler.store.tables import triggers as trigger_rows
from scheduler.words.commands import FireGathered
from scheduler.words.outcomes import Code, Outcome


def fire_gathered(ctx: Context, command: FireGathered) -> Outcome:
    era = trigger_rows.get(ctx.store, command.trigger)
    row = None if era is None else gatherings.get(ctx.store, era.job, era.key, command.plan_day)
    is_due = row is not None and row.at_ms is not None and row.at_ms == command.at_ms <= ctx.stamp_ms
    if era is None or row is None or not is_due or row.trigger != command.trigger:
        return refused(Code.SUPERSEDED, f"trigger {command.trigger} is not to be looked at for this date now")
    if not gathered.has_heard(ctx.store, row):
        return refused(Code.SUPERSEDED, f"trigger {command.trigger} has not heard of all that came")
    gathering.go_on(ctx, era, row)
    return done()
