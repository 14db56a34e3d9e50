"""What hears of the end of a run: triggers that wait for runs of other jobs (`after`, `all_of`).

Rules of this file:

1. Ends are looked at one after the other, the oldest first, and of one end the triggers in the order of their
   ids. Each judges once (`machine.dependents`).
2. Where few triggers hear of it, they do so in the entry that ends a run: a step of a chain costs a round of
   the log less. That is done for one end an entry, so no chain recurses, whatever its jobs do; all else is
   left to the planner.
3. What fires there may have its single task placed on the agent that reported the end (`placing.goes_on`).
   That costs a round less again.
"""

from __future__ import annotations

from collections.abc import Collection

from scheduler.machine.context import LEAST_ROOM, ROW, Context
from scheduler.machine.steps import arriving, gathering, placing, postponing, restoring
from scheduler.model.after import read_after
from scheduler.store.tables import ends, listeners, postponed, results
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.ends import End
from scheduler.store.tables.postponed import Postponed
from scheduler.store.tables.results import Result
from scheduler.store.tables.triggers import FiringTrigger
from scheduler.words import reasons
from scheduler.words.causes import Cause, Kind

AT_ONCE_MAX = 4  #: triggers that hear of an end in an entry that ends a run
AT_ONCE = 10 * ROW  #: what each of them takes of the room: a frame of very many ends leaves the later ones


def hear_soon(ctx: Context) -> None:
    """The command ended a run of which triggers hear: the oldest end is looked at."""
    end = ends.first_open(ctx.store)
    if end is None or ctx.state.stage or restoring.is_holding(ctx):
        return
    hearing = listeners.hearing(ctx.store, end.parent, end.id, end.looked, AT_ONCE_MAX + 1)
    if len(hearing) > AT_ONCE_MAX or ctx.room < LEAST_ROOM + AT_ONCE * len(hearing):
        return
    for trigger in hearing:
        ctx.room -= AT_ONCE
        _hear(ctx, end, trigger)
    ends.close(ctx.store, end.id)


def hear(ctx: Context, end: End) -> bool:
    """The next of those that hear of it; whether some are left."""
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
        return True
    ends.close(ctx.store, end.id)
    return False


def _hear(ctx: Context, end: End, trigger: int) -> None:
    era, row = trigger_rows.get(ctx.store, trigger), trigger_rows.firing(ctx.store, trigger)
    assert era is not None
    assert row is not None
    assert row.namespace is not None, "a trigger of a job that is no more hears of nothing"
    after = read_after(era.spec)
    if after is None:
        gathering.hear_end(ctx, era, end)
        return
    stored = results.of(ctx.store, trigger)
    before = stored.get(end.parent)
    if end.verdict and (before is None or before.run != end.run):
        return
    newest = Result(
        trigger, end.parent, end.run, end.state, end.exit_code, end.warned, end.at_ms, end.plan_day,
        1 if before is None else before.ends + (not end.verdict),
    )  # fmt: skip
    known = {**stored, end.parent: newest}
    fires = after.judge(known).value is True
    runs = ",".join(str(result.run) for result in sorted(known.values(), key=lambda each: each.run))
    waiting = postponed.first_of(ctx.store, trigger)
    if waiting is not None:
        if fires and waiting.cause_key == f"{era.key}/{runs}":
            results.put(ctx.store, newest)
            return  # a verdict that changes nothing of it: it goes on waiting
        postponing.give_up(ctx, waiting, row.namespace, row.name, "coalesced", reasons.OVERLAP)
    waits = Postponed(trigger, f"{era.key}/{runs}", Kind.AFTER.value, row.job, end.at_ms, None)
    if not fires or not _fire(ctx, row, waits, end.missed, known.values()):
        results.put(ctx.store, newest)
    elif stored:
        results.drop(ctx.store, trigger)


def fire(ctx: Context, trigger: FiringTrigger, row: Postponed) -> None:
    """The firing that waited makes its run, ends without one, or waits on."""
    if _fire(ctx, trigger, row, "", results.of(ctx.store, trigger.id).values()):
        results.drop(ctx.store, trigger.id)


def _fire(
    ctx: Context, trigger: FiringTrigger, row: Postponed, missed: str, heard: Collection[Result]
) -> bool:
    """Whether it made a run, which consumes what the trigger heard."""
    outcome = arriving.fire(
        ctx,
        Cause(Kind.AFTER, row.cause_key, trigger.id),
        trigger,
        due_ms=row.due_ms,
        missed=missed or restoring.missed(ctx, row.due_ms),
        agent=placing.goes_on(ctx),
        plan_day=max((result.plan_day for result in heard), default=None),
    )
    told = outcome.value or {}
    if told.get("full"):
        postponed.put(ctx.store, row._replace(at_ms=None))
        return False
    postponed.drop(ctx.store, trigger.id, row.cause_key)
    return "outcome" not in told
