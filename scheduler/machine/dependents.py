"""Dependents: what is to run when runs of other jobs have ended as a condition says (`after`).

Rules of this file:

1. The end of a run that a trigger waits for is a row (`steps.closing`). Each trigger that hears of it judges
   its condition once, by the newest end of each of its jobs that it has not consumed. It is judged then and
   never else: no edit, no resume, no clock makes one fire.
2. A condition that is true is a firing, known by the runs whose ends made it so: it makes one run or ends
   without one, and has one entry of the ledger. A run consumes all that the trigger has heard; a firing
   without a run consumes nothing.
3. Events lose nothing: where a queue has no room for another run (queue_one, queue_all), the firing waits for
   room. A newer end of one of its jobs takes its place: it is coalesced, and the condition judged anew.
4. Ends are looked at one after the other, the oldest first. So each trigger sees them in their order, and
   verify can tell what had to come of them.
5. A person's verdict over a run is one more end of it, for those alone of which it is the newest end that
   they have not consumed: who has, and who has heard of a newer run, is told nothing.
6. In a restored state nobody knows what the cluster before made of an end that it may have seen: what it
   would fire is missed.
7. Bounded: so many triggers a command; the planner asks again while something is left. Few of them hear at
   once, in the entry that ends the run (`steps.hearing`).
"""

from __future__ import annotations

from scheduler.machine.context import Context, done, refused
from scheduler.machine.steps import gathering, hearing
from scheduler.store.tables import ends, postponed
from scheduler.store.tables import triggers as trigger_rows
from scheduler.words.causes import Kind
from scheduler.words.commands import FireDependents, FirePostponed
from scheduler.words.outcomes import Code, Outcome


def fire_dependents(ctx: Context, command: FireDependents) -> Outcome:
    end = ends.first_open(ctx.store)
    if end is None or end.id != command.end:
        return refused(Code.SUPERSEDED, f"end {command.end} is not the oldest that is open")
    return done(left=hearing.hear(ctx, end))


def fire_postponed(ctx: Context, command: FirePostponed) -> Outcome:
    """Compare-and-set of the firing that waits."""
    row = postponed.get(ctx.store, command.trigger, command.cause_key)
    if row is None or row.at_ms is None or row.at_ms > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"trigger {command.trigger} has no such firing to be tried now")
    trigger = trigger_rows.firing(ctx.store, row.trigger)
    assert trigger is not None
    if row.kind == Kind.ALL_OF:
        gathering.fire(ctx, trigger, row, "")
    else:
        hearing.fire(ctx, trigger, row)
    return done()
