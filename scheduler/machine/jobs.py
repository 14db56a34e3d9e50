"""Jobs: put, deleted, paused, resumed.

Rules of this file:

1. PutJobs is all or none: every job is judged before anything is written. What an edit means is
   `steps.editing`.
2. Pause is runtime state: putting a job never changes it. What came due while it was paused and is undecided
   when it is resumed (nobody led) belongs to an era that is closed then: skipped(paused), never run late.
"""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import tick_limits
from scheduler.machine.steps import editing, eras
from scheduler.machine.steps.editing import Edit, Judged
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.jobs import Job
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.commands import DeleteJob, PauseJob, PutJobs, ResumeJob
from scheduler.words.outcomes import Code, Outcome

JOBS_MAX = 1_000
SPENT_TOLD_MAX = 200


def put_jobs(ctx: Context, command: PutJobs) -> Outcome:
    if len(command.jobs) > JOBS_MAX:
        return refused(Code.LIMIT, f"{len(command.jobs)} jobs in one command, at most {JOBS_MAX}")
    jobs = _stored(ctx, command)
    judged: list[Judged] = []
    over: list[list[object]] = []
    names: dict[tuple[str, str], None] = {}
    for place, new in enumerate(command.jobs):
        if (new.namespace, new.name) in names:
            return refused(Code.INVALID, f"{new.namespace}/{new.name} twice in one command", name=new.name)
        names[new.namespace, new.name] = None
        verdict = editing.judge(new, jobs.get((new.namespace, new.name)))
        if isinstance(verdict, Outcome):
            return verdict
        judged.append(verdict)
        if not verdict.is_same:
            over += [[place, each] for each in editing.find_spent(ctx, verdict, command.after_ms)]
    if over:
        said = f"{len(over)} new triggers fire only in the past, or never"
        return refused(Code.PAST, said, triggers=over[:SPENT_TOLD_MAX])
    asking = [each.new for each in judged if not each.is_same]
    if too_many := tick_limits.judge(ctx.store, asking, lambda new: _id(jobs.get((new.namespace, new.name)))):
        return too_many
    last = _last_revisions(ctx, judged)
    edit = Edit(command.actor.name, command.source, command.after_ms, ctx.stamp_ms, ctx.state.idx)
    put = [editing.put(ctx, edit, each, last.get((each.new.namespace, each.new.name), 0)) for each in judged]
    # With what was sent, the whole of a new job: whoever put it needs no read. `paused`: a pause stands, of
    # everything or of some namespace.
    return done(jobs=put, stamp_ms=ctx.stamp_ms, paused=ctx.state.paused_through_ms >= ctx.stamp_ms)


def _stored(ctx: Context, command: PutJobs) -> dict[tuple[str, str], Job]:
    """The jobs of these names that there are. Of one name by its own statement, of many by few."""
    if len(command.jobs) == 1:
        new = command.jobs[0]
        job = job_rows.find(ctx.store, new.namespace, new.name)
        return {} if job is None else {(new.namespace, new.name): job}
    return job_rows.find_all(ctx.store, [(new.namespace, new.name) for new in command.jobs])


def _last_revisions(ctx: Context, judged: list[Judged]) -> dict[tuple[str, str], int]:
    """Of the names that are no job now."""
    names = [(each.new.namespace, each.new.name) for each in judged if each.job is None]
    if len(names) == 1:
        return {names[0]: job_rows.last_revision(ctx.store, *names[0])}
    return job_rows.last_revisions(ctx.store, names)


def _id(job: Job | None) -> int | None:
    return None if job is None else job.id


def delete_job(ctx: Context, command: DeleteJob) -> Outcome:
    job = job_rows.find(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    if command.if_revision is not None and command.if_revision != job.revision:
        return refused(Code.REVISION_MISMATCH, f"at revision {job.revision}", revision=job.revision)
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
    ctx.changed("job", job.namespace, job.name, job.state, "active")
    if job.state == "paused":
        for trigger in trigger_rows.live(ctx.store, job.id):
            if trigger.fire_ms is not None and trigger.fire_ms <= ctx.stamp_ms:
                from_ms = eras.end(ctx, trigger, ctx.stamp_ms - trigger.jitter_ms, trigger_rows.PAUSED)
                eras.begin(
                    ctx, job.id, trigger.key, trigger.spec, trigger.jitter_ms,
                    eras.asks_of(trigger), from_ms=from_ms, due_ms=trigger.next_due_ms,
                )  # fmt: skip
        trigger_rows.give_up_left(ctx.store, job.id, ctx.stamp_ms)
        job_rows.set_state(ctx.store, job.id, state="active", reason="", failures=0)
        ctx.emit(e.JobResumed(job.id, job.namespace, job.name))
    return OK
