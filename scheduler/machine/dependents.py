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
7. Bounded: so many triggers a command; the planner asks again while something is left.
"""

from __future__ import annotations

from scheduler.machine.context import ROW, Context, done, refused
from scheduler.machine.steps import arriving, gathering, postponing, restoring
from scheduler.model.after import read_after
from scheduler.store.tables import ends, listeners, postponed, results
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.ends import End
from scheduler.store.tables.postponed import Postponed
from scheduler.store.tables.results import Result
from scheduler.store.tables.triggers import FiringTrigger
from scheduler.words import reasons
from scheduler.words.causes import Cause, Kind
from scheduler.words.commands import FireDependents, FirePostponed
from scheduler.words.outcomes import Code, Outcome


def fire_dependents(ctx: Context, command: FireDependents) -> Outcome:
    end = ends.first_open(ctx.store)
    if end is None or end.id != command.end:
        return refused(Code.SUPERSEDED, f"end {command.end} is not the oldest that is open")
    hearing = listeners.hearing(ctx.store, end.parent, end.id, end.looked, listeners.PAGE)
    looked = end.looked
    for trigger in hearing:
        if ctx.room <= 0:
            break
        ctx.room -= ROW
        _hear(ctx, end, trigger)
        looked = trigger
    if len(hearing) == listeners.PAGE or (hearing and looked != hearing[-1]):
        ends.look(ctx.store, end.id, looked)
        return done(left=True)
    ends.close(ctx.store, end.id)
    return done(left=False)


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
        _fire(ctx, trigger, row, "")
    return done()


def _hear(ctx: Context, end: End, trigger: int) -> None:
    era, row = trigger_rows.get(ctx.store, trigger), trigger_rows.firing(ctx.store, trigger)
    assert era is not None
    assert row is not None
    assert row.namespace is not None, "a trigger of a job that is no more hears of nothing"
    after = read_after(era.spec)
    if after is None:
        gathering.hear_end(ctx, era, end)
        return
    known = results.of(ctx.store, trigger)
    before = known.get(end.parent)
    if end.verdict and (before is None or before.run != end.run):
        return
    newest = Result(
        trigger, end.parent, end.run, end.state, end.exit_code, end.warned, end.at_ms, end.plan_day,
        1 if before is None else before.ends + (not end.verdict),
    )  # fmt: skip
    results.put(ctx.store, newest)
    known[end.parent] = newest
    fires = after.judge(known).value is True
    runs = ",".join(str(result.run) for result in sorted(known.values(), key=lambda each: each.run))
    waiting = postponed.first_of(ctx.store, trigger)
    if waiting is not None:
        if fires and waiting.cause_key == f"{era.key}/{runs}":
            return  # a verdict that changes nothing of it: it goes on waiting
        postponing.give_up(ctx, waiting, row.namespace, row.name, "coalesced", reasons.OVERLAP)
    if fires:
        waits = Postponed(trigger, f"{era.key}/{runs}", Kind.AFTER.value, row.job, end.at_ms, None)
        _fire(ctx, row, waits, end.missed)


def _fire(ctx: Context, trigger: FiringTrigger, row: Postponed, missed: str) -> None:
    """It makes its run, ends without one, or waits for room."""
    heard = results.of(ctx.store, trigger.id).values()
    outcome = arriving.fire(
        ctx,
        Cause(Kind.AFTER, row.cause_key, trigger.id),
        trigger,
        due_ms=row.due_ms,
        missed=missed or restoring.missed(ctx, row.due_ms),
        plan_day=max((result.plan_day for result in heard), default=None),
    )
    told = outcome.value or {}
    if told.get("full"):
        postponed.put(ctx.store, row._replace(at_ms=None))
        return
    postponed.drop(ctx.store, trigger.id, row.cause_key)
    if "outcome" not in told:
        results.drop(ctx.store, trigger.id)
