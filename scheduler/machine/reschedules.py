"""Jobs take over what a schedule that they name means since an edit: some at a time, all at its instant.

Rules of this file:

1. The planner says all triggers that a job has of the schedule from then on; here they take the place of
   those that it had, by the stamp of the edit, as by an edit of the job. What did not change keeps its
   watermark.
2. It has its turn among the edits of calendars, in the order of the edits. What the planner prepared by other
   dates than its calendars have, or for a job that has ended or taken it over since, is passed over.
3. Nobody follows while a staged apply goes live: the schedule's own turn may come yet.
"""

from __future__ import annotations

from scheduler.machine.context import ROW, Context, done, refused
from scheduler.machine.rules import pins as pin_rules
from scheduler.machine.steps import eras, redating, retriggering
from scheduler.model.known_schedules import KIND
from scheduler.store.tables import asked as asked_rows
from scheduler.store.tables import job_schedules, pins
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.pins import Redate
from scheduler.ticks import shared_of
from scheduler.words import events as e
from scheduler.words.commands import Reschedule, Rescheduled
from scheduler.words.outcomes import Code, Outcome

JOBS_MAX = 50  #: of one command
TRIGGERS_MAX = 200  #: of one command with several jobs


def reschedule(ctx: Context, command: Reschedule) -> Outcome:
    turn = pins.first(ctx.store)
    if turn is None or turn.id != command.redate or turn.kind != KIND:
        return refused(Code.SUPERSEDED, f"schedule edit {command.redate} is not the one whose turn it is")
    if ctx.state.stage:
        return refused(Code.SWITCHING, redating.WAITS)
    count = sum(len(each.triggers) for each in command.jobs)
    if len(command.jobs) > JOBS_MAX or (count > TRIGGERS_MAX and len(command.jobs) > 1):
        return refused(Code.LIMIT, f"{len(command.jobs)} jobs with {count} triggers in one command")
    taken = sum(_take_over(ctx, turn, each) for each in command.jobs)
    if not job_schedules.holders(ctx.store, turn.namespace, turn.name, turn.pin, 1):
        pins.end(ctx.store, turn.id)
        ctx.state.redates -= 1
        ctx.emit(e.ScheduleMoved(turn.namespace, turn.name, live=True))
    return done(taken=taken)


def _take_over(ctx: Context, turn: Redate, new: Rescheduled) -> bool:
    held = job_schedules.pin_of(ctx.store, new.job, turn.namespace, turn.name)
    job = job_rows.standing(ctx.store, new.job)
    if held in (None, turn.pin) or job is None or not pin_rules.are_held(ctx.store, new.triggers):
        return False
    ctx.room -= 4 * ROW * (1 + len(new.triggers))
    of = f"{turn.namespace}/{turn.name}"
    all_live = trigger_rows.live(ctx.store, new.job)
    live = [trigger for trigger in all_live if shared_of(trigger.spec)[0] == of]
    others = [trigger for trigger in all_live if trigger not in live]
    before = sum(trigger.per_day for trigger in live)
    asks_for = sum(each.per_day for each in new.triggers)
    outline = ctx.graphs.outline(new.job, job.namespace, job.name, job.revision)
    whole = asks_for + sum(trigger.per_day for trigger in others)
    share = eras.share_of(outline.priority, whole)
    for trigger in others:
        if trigger.share != share:
            trigger_rows.set_share(ctx.store, trigger.id, share)
    begin_ms = max(turn.at_ms, trigger_rows.last_closed(ctx.store, new.job) or turn.at_ms)
    retriggering.replace(
        ctx, new.job, live, new.triggers, eras.Asks(job.namespace, 0, share),
        retriggering.Instants(begin_ms, turn.at_ms, turn.at_ms), stays=True,
    )  # fmt: skip
    asked_rows.add(ctx.store, job.namespace, asks_for - before)
    eras.wake(ctx, new.job)
    job_schedules.hold(ctx.store, new.job, turn.namespace, turn.name, turn.pin, whole)
    return True
