"""Jobs: put, deleted, paused, resumed.

Rules of this file:

1. PutJobs is all or none: every job is judged before anything is written. What an edit means is
   `steps.editing`.
2. Pause is runtime state: putting a job never changes it. What came due while it was paused and is undecided
   when it is resumed (nobody led) belongs to an era that is closed then: skipped(paused), never run late.
"""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import owning, pins, references
from scheduler.machine.steps import decisions, delaying, editing, eras, periods, putting, redating
from scheduler.machine.steps.editing import Edit
from scheduler.model.quantities import format_instant
from scheduler.store.tables import delays, folders, hearers, job_pauses
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.job_pauses import JobPause
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.refs import Named
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.commands import DeleteJob, EndJobPause, PauseJob, PutJobs, ResumeJob
from scheduler.words.outcomes import Code, Outcome

JOBS_MAX = 1_000
REASON_LETTERS_MAX = 500


def put_jobs(ctx: Context, command: PutJobs) -> Outcome:
    if len(command.jobs) > JOBS_MAX:
        return refused(Code.LIMIT, f"{len(command.jobs)} jobs in one command, at most {JOBS_MAX}")
    judged = putting.judge(ctx, command.jobs, command.after_ms, command.source)
    if isinstance(judged, Outcome):
        return judged
    refers = any(new.refers for new in command.jobs)
    puts = {Named("job", new.namespace, new.name): new.refers for new in command.jobs} if refers else {}
    if refers and (missing := references.judge(ctx.store, puts)):
        return missing
    changed = [each.new for each in judged if not each.is_same]
    if superseded := pins.judge(ctx.store, changed, pins.put_with(())):
        return superseded
    edit = Edit(command.actor.name, command.source, command.after_ms, ctx.stamp_ms, ctx.state.idx)
    # With what was sent, the whole of a new job: whoever put it needs no read. `paused`: a pause stands, of
    # everything or of some namespace.
    return done(
        jobs=putting.put(ctx, edit, judged), stamp_ms=ctx.stamp_ms,
        paused=ctx.state.paused_through_ms >= ctx.stamp_ms,
    )  # fmt: skip


def delete_job(ctx: Context, command: DeleteJob) -> Outcome:
    job = job_rows.find(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    if command.if_revision is not None and command.if_revision != job.revision:
        return refused(Code.REVISION_MISMATCH, f"at revision {job.revision}", revision=job.revision)
    what = Named("job", job.namespace, job.name)
    refusal = owning.judge(ctx.store, what, job.source, "")
    if refusal := refusal or references.judge(ctx.store, {}, {what: job}):
        return refusal
    if stale := redating.refuse_edit_of_job(ctx, job.id):
        return stale
    edit = Edit(command.actor.name, "", ctx.stamp_ms, ctx.stamp_ms, ctx.state.idx)
    return done(job=job.id, revision=editing.delete(ctx, edit, job))


def pause_job(ctx: Context, command: PauseJob) -> Outcome:
    job = job_rows.find(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    until_ms = command.until_ms
    if len(command.reason) > REASON_LETTERS_MAX:
        return refused(Code.INVALID, f"a reason of {REASON_LETTERS_MAX} letters at most")
    if until_ms is not None and until_ms <= ctx.stamp_ms:
        return refused(Code.INVALID, "it would be over before it begins")
    ctx.changed("job", job.namespace, job.name, job.state, "paused", reason=command.reason)
    until = "" if until_ms is None else format_instant(until_ms)
    if job.state != "paused" or command.reason or until_ms != job_pauses.until_ms(ctx.store, job.id):
        reason = reasons.paused_by(command.actor.name, command.reason, until)
        job_rows.set_state(ctx.store, job.id, state="paused", reason=reason)
        if until_ms is None:
            job_pauses.drop(ctx.store, job.id)
        else:
            job_pauses.put(ctx.store, JobPause(job.id, until_ms))
        if job.state != "paused":
            eras.wake(ctx, job.id)  # what waits to be caught up is skipped
        ctx.emit(e.JobPaused(job.id, job.namespace, job.name, reason))
    return OK


def resume_job(ctx: Context, command: ResumeJob) -> Outcome:
    job = job_rows.find(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    if stale := redating.refuse_edit_of_job(ctx, job.id):
        return stale
    ctx.changed("job", job.namespace, job.name, job.state, "active")
    if job.state == "paused":
        _resume(ctx, job, ctx.stamp_ms)
    return OK


def end_job_pause(ctx: Context, command: EndJobPause) -> Outcome:
    until_ms = job_pauses.until_ms(ctx.store, command.job)
    if until_ms != command.until_ms or until_ms > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, "that pause is lifted already, or its time is not over")
    job = job_rows.get(ctx.store, command.job)
    if job is None or job.state != "paused":
        job_pauses.drop(ctx.store, command.job)
        return OK
    if stale := redating.refuse_edit_of_job(ctx, job.id):
        return stale
    _resume(ctx, job, until_ms - 1)  # what is due at its end fires, whenever the leader comes to it
    return OK


def _resume(ctx: Context, job: Job, through_ms: int) -> None:
    """What was due up to this instant was skipped."""
    for trigger in trigger_rows.live(ctx.store, job.id):
        if trigger.fire_ms is not None and trigger.fire_ms <= through_ms:
            from_ms = eras.end(ctx, trigger, through_ms - trigger.jitter_ms, trigger_rows.PAUSED)
            eras.begin(
                ctx, job.id, trigger.key, trigger.spec, trigger.jitter_ms,
                eras.asks_of(trigger), from_ms=from_ms, due_ms=trigger.next_due_ms,
            )  # fmt: skip
    if ctx.state.delays:
        _skip_delayed(ctx, job, through_ms)
    trigger_rows.give_up_left(ctx.store, job.id, ctx.stamp_ms)
    hearers.hurry(ctx.store, job.id, ctx.stamp_ms)
    folders.hurry(ctx.store, job.id, ctx.stamp_ms)
    job_pauses.drop(ctx.store, job.id)
    periods.restart(ctx, job.id, job.namespace)
    job_rows.set_state(ctx.store, job.id, state="active", reason="", failures=0)
    ctx.emit(e.JobResumed(job.id, job.namespace, job.name))


def _skip_delayed(ctx: Context, job: Job, through_ms: int) -> None:
    for row in delays.of_job(ctx.store, job.id):
        if row.due_ms is not None and row.due_ms <= through_ms:
            decisions.decide(
                ctx, delaying.cause_of(ctx, row), job=job.id, namespace=job.namespace, name=job.name,
                first_ms=row.due_ms, outcome="skipped", reason=reasons.PAUSED,
            )  # fmt: skip
            delaying.passed(ctx, row)
