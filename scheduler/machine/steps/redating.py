"""A calendar has other dates, a zone other rules, or a schedule means something else: what would decide by
what was before waits until its triggers have taken over what is. A zone is known as a calendar is, with an
empty namespace.

Rules of this file:

1. All that is concerned changes at one instant, the stamp of the edit, however long it takes to get round to
   it (`machine.redates`): no tick after it is decided by what was before.
2. Meanwhile edits of what is concerned wait: of the calendar's dates, of the schedule and of what takes its
   place, and of jobs that hold what was before. Calendars wait for every schedule: its triggers are prepared
   by the dates that there are when its turn comes.
3. What takes the place of a schedule is an edit of that schedule.
4. Of a stage objects and jobs go live one by one, in any order: a job that was prepared by another meaning of
   its schedule than there is follows it like all others. Nobody follows before the stage is live, and
   meanwhile no tick after its instant is decided of a schedule that may be edited with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.machine.context import Context, refused
from scheduler.machine.rules import pins as shared_pins
from scheduler.machine.rules import substitutes
from scheduler.model.known_schedules import KIND as SCHEDULE
from scheduler.store.tables import job_schedules, pins, refs, staged, stages
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.refs import Named
from scheduler.ticks import shared_of
from scheduler.words import events as e
from scheduler.words.commands import PreparedJob, PreparedObject
from scheduler.words.outcomes import Code, Outcome

WAITS = "its triggers take over dates of a calendar, rules of a zone, or a schedule: edits wait for that"


def names_schedules(spec: bytes) -> bool:
    """Whether a job may have triggers of any, by its text."""
    return b'"schedule":' in spec


def begin(ctx: Context, what: Named, pin: str, at_ms: int) -> None:
    """From this instant on the calendar has the dates of this pin."""
    if pins.holders(ctx.store, what.namespace, what.name, pin, 1):
        pins.begin(ctx.store, *what, pin, at_ms, ctx.state.idx)
        ctx.state.redates += 1
        tell(ctx, what.namespace, what.name, live=False)


def tell(ctx: Context, namespace: str, name: str, *, live: bool) -> None:
    ctx.emit(e.CalendarMoved(namespace, name, live) if namespace else e.ZoneMoved(name, live))


def concerned(ctx: Context, what: Named) -> list[Named]:
    """The schedules that mean something else by an edit of this one: it, and that whose place it takes."""
    base = substitutes.base_of(refs.of(ctx.store, what))
    return [what, *([Named(SCHEDULE, what.namespace, base)] if base else [])]


def follow(ctx: Context, schedules: Sequence[Named], at_ms: int) -> None:
    """From this instant on they mean what they mean now."""
    for what in dict.fromkeys(schedules):
        pin = substitutes.pin_of(ctx.store, what.namespace, what.name)
        if pin is None:
            continue
        turn = pins.of(ctx.store, *what)
        if turn is not None:  # of this very act: others wait for it
            pins.say(ctx.store, turn.id, pin)
        elif job_schedules.holders(ctx.store, what.namespace, what.name, pin, 1):
            pins.begin(ctx.store, *what, pin, at_ms, ctx.state.idx)
            ctx.state.redates += 1
            ctx.emit(e.ScheduleMoved(what.namespace, what.name, live=False))


def hold(ctx: Context, job: int, new: PreparedJob, at_ms: int) -> None:
    """The job has the triggers of its schedules, as who prepared it knew them."""
    per_day = sum(each.per_day for each in new.triggers)
    job_schedules.set_of(ctx.store, job, new.schedules, new.namespace, per_day)
    for namespace, name, pin in new.schedules:
        if pin != substitutes.pin_of(ctx.store, namespace, name):
            follow(ctx, [Named(SCHEDULE, namespace, name)], at_ms)


def drop(ctx: Context, job: Job) -> None:
    """It names none any more."""
    job_schedules.set_of(ctx.store, job.id, (), job.namespace, 0)


def refuse_stale_tick(ctx: Context, trigger: int, last_ms: int) -> Outcome | None:
    """The refusal of a decision up to this instant by what counts no more."""
    if not ctx.state.redates and not ctx.state.stage:
        return None
    since_ms = pins.stale_since(ctx.store, trigger) if ctx.state.redates else None
    if since_ms is not None and last_ms > since_ms:
        return refused(
            Code.SUPERSEDED, f"trigger {trigger} holds dates that its calendar had until {since_ms}"
        )
    since_ms = _shared_until(ctx, trigger)
    if since_ms is None or last_ms <= since_ms:
        return None
    return refused(Code.SUPERSEDED, f"trigger {trigger} is of a schedule as it was until {since_ms}")


def _shared_until(ctx: Context, trigger: int) -> int | None:
    row = trigger_rows.get(ctx.store, trigger)
    of = "" if row is None else shared_of(row.spec)[0]
    if row is None or not of:
        return None
    namespace, _, name = of.partition("/")
    since_ms = job_schedules.stale_since(ctx.store, row.job, namespace, name)
    stage = stages.get(ctx.store, ctx.state.stage) if since_ms is None and ctx.state.stage else None
    if stage is None or stage.at_ms is None or not staged.has_kind(ctx.store, stage.id, SCHEDULE):
        return since_ms
    return stage.at_ms


def refuse_edit_of_job(ctx: Context, job: int) -> Outcome | None:
    if ctx.state.redates:
        if job_schedules.stale_since(ctx.store, job) is not None:
            return refused(Code.SWITCHING, WAITS)
        for trigger in trigger_rows.live(ctx.store, job):
            if pins.stale_since(ctx.store, trigger.id) is not None:
                return refused(Code.SWITCHING, WAITS)
    return None


def refuse_jobs_that_follow(ctx: Context, jobs: Sequence[PreparedJob]) -> Outcome | None:
    """Where something that they share is other than the planner saw it, or has yet to be taken over."""
    if superseded := shared_pins.judge(ctx.store, jobs, shared_pins.put_with(())):
        return superseded
    for new in jobs:
        job = job_rows.find(ctx.store, new.namespace, new.name)
        if job is not None and (stale := refuse_edit_of_job(ctx, job.id)):
            return stale
    return None


def refuse_edit_of_object(
    ctx: Context, what: Named, new: PreparedObject | None = None
) -> Outcome | None:
    """`new`: as what it is put; None: it is deleted."""
    if not ctx.state.redates:
        return None
    waits = [what]
    if what.kind == SCHEDULE:
        base = "" if new is None else substitutes.base_of(new.refers)
        waits = [*concerned(ctx, what), *([Named(SCHEDULE, what.namespace, base)] if base else [])]
    elif pins.waits_for(ctx.store, SCHEDULE):
        return refused(Code.SWITCHING, f"{what}: {WAITS}")
    if any(pins.of(ctx.store, *each) is not None for each in waits):
        return refused(Code.SWITCHING, f"{what}: {WAITS}")
    return None
