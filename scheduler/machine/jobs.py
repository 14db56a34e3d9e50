"""Jobs: put, deleted, paused, resumed.

Rules of this file:

1. PutJobs is all or none: every job is judged before anything is written.
2. An unchanged spec makes no revision. Revisions go on counting per name, through deletion too.
3. A trigger that did not change keeps its era and watermark. All that an edit changes or removes is closed at
   one instant, the stamp or a decided instant beyond it, and all that is new begins there: none is due twice,
   none is lost in between. What was due by then is decided as if nothing had been edited. Of a new job, and
   of one that was deleted, eras begin at the proposer's clock, behind every closed era of that name.
4. Pause is runtime state: putting a job never changes it. What came due while it was paused and is undecided
   when it is resumed (nobody led) belongs to an era that is closed then: skipped(paused), never run late.
5. Deleting cancels the job's runs that have not started, and of those that have what has not: nothing of a
   deleted job starts any more, a retry as little as the next task. What runs comes to its own end, and the
   run's end says that the job was deleted. The oldest runs at once, the others when their turn comes.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import tick_limits
from scheduler.machine.rules.graphs import KEPT_FROM_TASKS
from scheduler.machine.rules.spent import spent
from scheduler.machine.steps import eras, stopping
from scheduler.model.compiled import CompiledJob, compile_job
from scheduler.store.tables import asked as asked_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.jobs import Job, Revision
from scheduler.words import events as e
from scheduler.words import reasons
from scheduler.words.causes import Kind
from scheduler.words.commands import DeleteJob, PauseJob, PreparedJob, PutJobs, ResumeJob
from scheduler.words.outcomes import Code, Outcome

JOBS_MAX = 1_000
ACTIVE_RUNS_CANCELLED_MAX = 1_000
SPENT_TOLD_MAX = 200


class _Judged(NamedTuple):
    new: PreparedJob
    job: Job | None
    labels: str
    retention_runs: int
    priority: int
    is_same: bool = False  #: nothing changes
    large: CompiledJob | None = None  #: of many tasks: kept, so that its first run need not compile it again


def put_jobs(ctx: Context, command: PutJobs) -> Outcome:
    if len(command.jobs) > JOBS_MAX:
        return refused(Code.LIMIT, f"{len(command.jobs)} jobs in one command, at most {JOBS_MAX}")
    jobs = _stored(ctx, command)
    judged: list[_Judged] = []
    over: list[list[object]] = []
    names: dict[tuple[str, str], None] = {}
    for place, new in enumerate(command.jobs):
        if (new.namespace, new.name) in names:
            return refused(Code.INVALID, f"{new.namespace}/{new.name} twice in one command", name=new.name)
        names[new.namespace, new.name] = None
        verdict = _judge(new, jobs.get((new.namespace, new.name)))
        if isinstance(verdict, Outcome):
            return verdict
        judged.append(verdict)
        if not verdict.is_same:
            over += [[place, each] for each in _spent(ctx, command, verdict)]
    if over:
        said = f"{len(over)} new triggers fire only in the past, or never"
        return refused(Code.PAST, said, triggers=over[:SPENT_TOLD_MAX])
    asking = [each.new for each in judged if not each.is_same]
    if too_many := tick_limits.judge(ctx.store, asking, lambda new: _id(jobs.get((new.namespace, new.name)))):
        return too_many
    last = _last_revisions(ctx, judged)
    # With what was sent, the whole of a new job: whoever put it needs no read. `paused`: a pause stands, of
    # everything or of some namespace.
    return done(
        jobs=[_put(ctx, command, each, last) for each in judged], stamp_ms=ctx.stamp_ms,
        paused=ctx.state.paused_through_ms >= ctx.stamp_ms,
    )  # fmt: skip


def _stored(ctx: Context, command: PutJobs) -> dict[tuple[str, str], Job]:
    """The jobs of these names that there are. Of one name by its own statement, of many by few."""
    if len(command.jobs) == 1:
        new = command.jobs[0]
        job = job_rows.find(ctx.store, new.namespace, new.name)
        return {} if job is None else {(new.namespace, new.name): job}
    return job_rows.find_all(ctx.store, [(new.namespace, new.name) for new in command.jobs])


def _last_revisions(ctx: Context, judged: list[_Judged]) -> dict[tuple[str, str], int]:
    """Of the names that are no job now."""
    names = [(each.new.namespace, each.new.name) for each in judged if each.job is None]
    if len(names) == 1:
        return {names[0]: job_rows.last_revision(ctx.store, *names[0])}
    return job_rows.last_revisions(ctx.store, names)


def _id(job: Job | None) -> int | None:
    return None if job is None else job.id


def _judge(new: PreparedJob, job: Job | None) -> _Judged | Outcome:
    where = f"{new.namespace}/{new.name}"
    if new.if_revision is not None:
        if job is None and new.if_revision != 0:
            return refused(Code.NOT_FOUND, f"no job {where}", namespace=new.namespace, name=new.name)
        if job is not None and job.revision != new.if_revision:
            code = Code.EXISTS if new.if_revision == 0 else Code.REVISION_MISMATCH
            return refused(
                code, f"{where} is at revision {job.revision}",
                namespace=new.namespace, name=new.name, revision=job.revision,
            )  # fmt: skip
    if job is not None and job.spec == new.spec:
        return _Judged(new, job, job.labels, job.retention_runs, 0, is_same=True)
    try:
        compiled = compile_job(new.spec)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return refused(
            Code.INVALID, f"{where}: not a canonical spec: {error}", namespace=new.namespace, name=new.name
        )
    keys = {trigger.key for trigger in new.triggers}
    if len(keys) != len(new.triggers) or not compiled.tasks:
        return refused(Code.INVALID, f"{where}: two triggers of one key, or no task", name=new.name)
    large = compiled if len(compiled.tasks) >= KEPT_FROM_TASKS else None
    return _Judged(new, job, compiled.labels, compiled.retention_runs, compiled.priority, large=large)


def _spent(ctx: Context, command: PutJobs, judged: _Judged) -> list[int]:
    """The places of triggers that would be passed over in silence."""
    if judged.job is None:
        return spent(ctx.store, judged.new, None, command.after_ms)
    # Not later than the instant from which what the edit changes will count.
    live = trigger_rows.live(ctx.store, judged.job.id)
    decided = [trigger_rows.last_decided(ctx.store, trigger.id) or 0 for trigger in live]
    return spent(ctx.store, judged.new, judged.job.id, max(ctx.stamp_ms, *decided, 0))


def _put(
    ctx: Context, command: PutJobs, judged: _Judged, last_revisions: dict[tuple[str, str], int]
) -> dict[str, object]:
    new, job, labels, retention_runs, _, is_same, large = judged
    state = ctx.state
    if job is not None and is_same:
        return _report(job.id, new, job.revision, created=False, changed=False)
    last = last_revisions.get((new.namespace, new.name), 0) if job is None else job.revision
    revision = last + 1
    if job is None:
        state.last_job += 1
        job_id = state.last_job
        job_rows.insert(
            ctx.store,
            Job(
                id=job_id, namespace=new.namespace, name=new.name, revision=revision, spec=new.spec,
                labels=labels, state="active", pause_reason="", source=command.source,
                created_ms=state.stamp_ms, changed_ms=state.stamp_ms, actor=command.actor, active_runs=0,
                failures=0, last_run=0, last_state="", runs_stored=0, retention_runs=retention_runs,
            ),
        )  # fmt: skip
    else:
        job_id = job.id
        job_rows.change(
            ctx.store, job_id, revision=revision, spec=new.spec, labels=labels, source=command.source,
            changed_ms=state.stamp_ms, actor=command.actor, retention_runs=retention_runs,
        )  # fmt: skip
    job_rows.insert_revision(
        ctx.store,
        Revision(
            job_id,
            revision,
            new.namespace,
            new.name,
            new.spec,
            state.stamp_ms,
            state.idx,
            command.actor,
            0,
        ),
    )
    if large is not None:
        ctx.graphs.keep(job_id, revision, large)
    before: int | None = job_id
    if job is None:
        before = job_rows.job_of(ctx.store, new.namespace, new.name, last) if last else None
    _set_triggers(ctx, job_id, new, judged.priority, after_ms=command.after_ms, before=before)
    ctx.emit(e.JobPut(job_id, new.namespace, new.name, revision, job is None))
    return _report(job_id, new, revision, created=job is None, changed=True)


def _report(job: int, new: PreparedJob, revision: int, *, created: bool, changed: bool) -> dict[str, object]:
    return {
        "job": job,
        "namespace": new.namespace,
        "name": new.name,
        "revision": revision,
        "created": created,
        "changed": changed,
    }


def _set_triggers(
    ctx: Context, job: int, new: PreparedJob, priority: int, *, after_ms: int, before: int | None
) -> None:
    """`before`: the job itself, for a new one the deleted job that had its name; None: there was none."""
    wanted = {each.key: (each.spec, each.jitter_ms) for each in new.triggers}
    per_day = sum(each.per_day for each in new.triggers)
    share = eras.share_of(priority, per_day)
    live = trigger_rows.live(ctx.store, job) if before == job else []
    kept = {t.key: None for t in live if wanted.get(t.key) == (t.spec, t.jitter_ms)}
    begin_ms = ctx.stamp_ms if before == job else after_ms
    if before is not None:
        begin_ms = max(begin_ms, trigger_rows.last_closed(ctx.store, before) or begin_ms)
    ended = [trigger for trigger in live if trigger.key not in kept]
    for trigger in ended:
        begin_ms = max(begin_ms, trigger.from_ms, trigger_rows.last_decided(ctx.store, trigger.id) or 0)
    for trigger in ended:
        eras.end(ctx, trigger, begin_ms, trigger_rows.EDITED)
    for trigger in live:
        if trigger.key in kept and trigger.share != share:
            trigger_rows.set_share(ctx.store, trigger.id, share)
    for each in new.triggers:
        if each.key not in kept:
            asks = eras.Asks(new.namespace, each.per_day, share)
            # By a clock that is ahead, the first instant may be before the one that the proposer found.
            due_ms = each.first_due_ms if after_ms <= begin_ms else begin_ms
            eras.begin(ctx, job, each.key, each.spec, each.jitter_ms, asks, from_ms=begin_ms, due_ms=due_ms)
    asked_rows.add(ctx.store, new.namespace, per_day - sum(trigger.per_day for trigger in live))
    if before == job:
        eras.wake(ctx, job)  # the edit may say something else of what waits to be caught up


def delete_job(ctx: Context, command: DeleteJob) -> Outcome:
    job = job_rows.find(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    if command.if_revision is not None and command.if_revision != job.revision:
        return refused(Code.REVISION_MISMATCH, f"at revision {job.revision}", revision=job.revision)
    asked = 0
    for trigger in trigger_rows.live(ctx.store, job.id):
        asked += trigger.per_day
        eras.end(ctx, trigger, ctx.stamp_ms, trigger_rows.DELETED)
    eras.wake(ctx, job.id)
    asked_rows.add(ctx.store, job.namespace, -asked)
    # Newest first, so that the end of one does not admit another that is cancelled next.
    for run in reversed(run_rows.active(ctx.store, job.id, limit=ACTIVE_RUNS_CANCELLED_MAX)):
        if not run.stopping and run.cause != Kind.ORPHAN:
            stopping.end_for_deletion(ctx, run)
    job_rows.delete(ctx.store, job.id)
    revision = job_rows.last_revision(ctx.store, job.namespace, job.name) + 1
    job_rows.insert_revision(
        ctx.store,
        Revision(
            job.id, revision, job.namespace, job.name, b"", ctx.stamp_ms, ctx.state.idx, command.actor, 1
        ),
    )
    ctx.emit(e.JobDeleted(job.id, job.namespace, job.name))
    return done(job=job.id, revision=revision)


def pause_job(ctx: Context, command: PauseJob) -> Outcome:
    job = job_rows.find(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    if job.state != "paused":
        reason = reasons.paused_by(command.actor)
        job_rows.set_state(ctx.store, job.id, state="paused", reason=reason)
        eras.wake(ctx, job.id)  # what waits to be caught up is skipped
        ctx.emit(e.JobPaused(job.id, job.namespace, job.name, reason))
    return OK


def resume_job(ctx: Context, command: ResumeJob) -> Outcome:
    job = job_rows.find(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
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
