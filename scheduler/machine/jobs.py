"""Jobs: put, deleted, paused, resumed.

Rules of this file:

1. PutJobs is all or none: every job is judged before anything is written. What an edit means is
   `steps.editing`.
2. Pause is runtime state: putting a job never changes it. What came due while it was paused and is undecided
   when it is resumed (nobody led) belongs to an era that is closed then: skipped(paused), never run late.
"""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import pins, references
from scheduler.machine.steps import decisions, delaying, editing, eras, putting, redating
from scheduler.machine.steps.editing import Edit
from scheduler.store.tables import delays, hearers
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.refs import Named
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.commands import DeleteJob, PauseJob, PutJobs, ResumeJob
from scheduler.words.outcomes import Code, Outcome

JOBS_MAX = 1_000


def put_jobs(ctx: Context, command: PutJobs) -> Outcome:
    if len(command.jobs) > JOBS_MAX:
        return refused(Code.LIMIT, f"{len(command.jobs)} jobs in one command, at most {JOBS_MAX}")
    judged = putting.judge(ctx, command.jobs, command.after_ms)
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
    if referred := references.judge(ctx.store, {}, {Named("job", job.namespace, job.name): job}):
        return referred
    if stale := redating.refuse_edit_of_job(ctx, job.id):
        return stale
    edit = Edit(command.actor.name, "", ctx.stamp_ms, ctx.stamp_ms, ctx.state.idx)
    return done(job=job.id, revision=editing.delete(ctx, edit, job))


def pause_job(ctx: Context, command: PauseJob) -> Outcome:
    job = job_rows.find(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    ctx.changed("job", job.namespace, job.name, job.state, "paused")
    if job.state != "paused":
        reason = reasons.paused_by(command.actor.name)
        job_rows.set_state(ctx.store, job.id, state="paused", reason=reason)
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
        for trigger in trigger_rows.live(ctx.store, job.id):
            if trigger.fire_ms is not None and trigger.fire_ms <= ctx.stamp_ms:
                from_ms = eras.end(ctx, trigger, ctx.stamp_ms - trigger.jitter_ms, trigger_rows.PAUSED)
                eras.begin(
                    ctx, job.id, trigger.key, trigger.spec, trigger.jitter_ms,
                    eras.asks_of(trigger), from_ms=from_ms, due_ms=trigger.next_due_ms,
                )  # fmt: skip
        if ctx.state.delays:
            _skip_delayed(ctx, job)
        trigger_rows.give_up_left(ctx.store, job.id, ctx.stamp_ms)
        hearers.hurry(ctx.store, job.id, ctx.stamp_ms)
        job_rows.set_state(ctx.store, job.id, state="active", reason="", failures=0)
        ctx.emit(e.JobResumed(job.id, job.namespace, job.name))
    return OK


def _skip_delayed(ctx: Context, job: Job) -> None:
    for row in delays.of_job(ctx.store, job.id):
        if row.due_ms is not None and row.due_ms <= ctx.stamp_ms:
            decisions.decide(
                ctx, delaying.cause_of(ctx, row), job=job.id, namespace=job.namespace, name=job.name,
                first_ms=row.due_ms, outcome="skipped", reason=reasons.PAUSED,
            )  # fmt: skip
            delaying.passed(ctx, row)
