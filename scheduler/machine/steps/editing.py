"""One definition is put or deleted: what every command that edits jobs has in common.

Rules of this file:

1. `judge` writes nothing, and what it passed `put` writes without a refusal: a command judges all that it
   holds before it writes anything.
2. An unchanged spec makes no revision. Revisions go on counting per name, through deletion too.
3. How triggers give way to others: `retriggering`. Of a new job, and of one that was deleted, eras begin at
   the proposer's clock, behind every closed era of that name.
4. Deleting cancels the job's runs that have not started, and of those that have what has not: nothing of a
   deleted job starts any more, a retry as little as the next task. What runs comes to its own end, and the
   run's end says that the job was deleted. The oldest runs at once, the others when their turn comes.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.machine.context import Context, refused
from scheduler.machine.rules import owning, revisions
from scheduler.machine.rules.graphs import KEPT_FROM_TASKS
from scheduler.machine.rules.spent import spent
from scheduler.machine.steps import (
    backfilling,
    eras,
    keying,
    listening,
    periods,
    postponing,
    redating,
    retriggering,
    setting_aside,
    stopping,
)
from scheduler.model.compiled import CompiledJob, compile_job
from scheduler.model.expected import AtLeast
from scheduler.model.templates import KIND as TEMPLATE
from scheduler.store.tables import asked as asked_rows
from scheduler.store.tables import job_pauses, left_behind, namespaces, refs, reservations, template_changes
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.jobs import Job, Revision
from scheduler.store.tables.refs import Named
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.commands import PreparedJob
from scheduler.words.outcomes import Code, Outcome

ACTIVE_RUNS_CANCELLED_MAX = 1_000


class Edit(NamedTuple):
    """Whose word an edit is, and since when it counts."""

    actor: str
    source: str  #: where the definitions came from; empty: the API
    after_ms: int  #: triggers of new jobs count ticks after this instant (the proposer's clock)
    at_ms: int  #: the stamp of the edit
    idx: int  #: the index of the edit


class Judged(NamedTuple):
    new: PreparedJob
    job: Job | None  #: as it is stored; None: it is new
    labels: str
    retention_runs: int
    criticality: str
    priority: int
    is_same: bool = False  #: nothing changes
    large: CompiledJob | None = None  #: of many tasks: kept, so that its first run need not compile it again
    last: int | None = None  #: the highest revision that the name ever had; None: nobody looked
    keys: tuple[str, ...] = ()  #: by which its runs are in each other's way (model.overlap_key)
    at_least: AtLeast | None = None  #: how many of its runs are to succeed in each period
    autonomy_ms: int | None = None  #: so long ahead its ticks are reserved


def judge(new: PreparedJob, job: Job | None, last: int | None = None) -> Judged | Outcome:
    what = Named("job", new.namespace, new.name)
    if refusal := revisions.judge(what, job and job.revision, new.if_revision):
        return refusal
    if job is not None and job.spec == new.spec:
        return Judged(new, job, job.labels, job.retention_runs, job.criticality, 0, is_same=True)
    where = f"{new.namespace}/{new.name}"
    try:
        compiled = compile_job(new.spec)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # Not in its words: all nodes give one outcome, and other versions of Python have others.
        said = f"{where}: not a canonical spec: {type(error).__name__}"
        return refused(Code.INVALID, said, namespace=new.namespace, name=new.name)
    many = len(new.triggers) > 1 and len({each.key for each in new.triggers}) != len(new.triggers)
    if many or not compiled.tasks:
        return refused(Code.INVALID, f"{where}: two triggers of one key, or no task", name=new.name)
    large = compiled if len(compiled.tasks) >= KEPT_FROM_TASKS else None
    return Judged(
        new, job, compiled.labels, compiled.retention_runs, compiled.criticality, compiled.priority,
        large=large, last=last, keys=compiled.overlap_key,
        at_least=compiled.expected.at_least if compiled.expected is not None and compiled.enabled else None,
        autonomy_ms=compiled.autonomy_ms if compiled.enabled else None,
    )  # fmt: skip


def find_spent(ctx: Context, judged: Judged, after_ms: int) -> list[int]:
    """The places of triggers that would be passed over in silence."""
    if judged.job is None:
        return spent(ctx.store, judged.new, None, after_ms)
    # Not later than the instant from which what the edit changes will count.
    live = trigger_rows.live(ctx.store, judged.job.id)
    decided = [trigger_rows.last_decided(ctx.store, trigger.id) or 0 for trigger in live]
    return spent(ctx.store, judged.new, judged.job.id, max(ctx.stamp_ms, *decided, 0))


def put(ctx: Context, edit: Edit, judged: Judged, last_revision: int) -> dict[str, object]:
    """`last_revision`: that the name of a new job ever had; 0: none."""
    new, job, labels, retention_runs, criticality, _, is_same, large, _, _, _, autonomy_ms = judged
    if job is not None and is_same:
        if edit.source and edit.source != job.source:
            job_rows.own(ctx.store, job.id, edit.source)
        return _report(job.id, new, job.revision, created=False, changed=False)
    if new.defaults != namespaces.defaults_revision(ctx.store, new.namespace):
        namespaces.begin_anew(ctx.store, new.namespace)
    if new.template is not None:
        namespace, name, pin = new.template
        if object_rows.pin_of(ctx.store, TEMPLATE, namespace, name) != pin:  # it follows that one
            template_changes.begin(ctx.store, namespace, name, ctx.state.idx)
    last = last_revision if job is None else job.revision
    revision = last + 1
    if job is None:
        ctx.state.last_job += 1
        job_id = ctx.state.last_job
        namespaces.count_job(ctx.store, new.namespace, 1)
        job_rows.insert(
            ctx.store,
            Job(
                id=job_id, namespace=new.namespace, name=new.name, revision=revision, spec=new.spec,
                labels=labels, state="active", pause_reason="", source=edit.source,
                created_ms=edit.at_ms, changed_ms=edit.at_ms, actor=edit.actor, active_runs=0,
                failures=0, last_run=0, last_state="", runs_stored=0, retention_runs=retention_runs,
                criticality=criticality,
            ),
        )  # fmt: skip
    else:
        job_id = job.id
        job_rows.change(
            ctx.store, job_id, revision=revision, spec=new.spec, labels=labels,
            source=owning.kept(job.source, edit.source),
            changed_ms=edit.at_ms, actor=edit.actor, retention_runs=retention_runs,
            criticality=criticality,
        )  # fmt: skip
        if job.active_runs and judged.keys:
            keying.bring_in(ctx, job_id, judged.keys)
    job_rows.insert_revision(
        ctx.store,
        Revision(
            job_id, revision, new.namespace, new.name, new.spec, edit.at_ms, edit.idx, edit.actor, deleted=0
        ),
    )
    if new.refers or job is not None:
        refs.set_of(ctx.store, Named("job", new.namespace, new.name), new.refers)
    if new.schedules or (job is not None and redating.names_schedules(job.spec)):
        redating.hold(ctx, job_id, new, edit.at_ms)
    if large is not None:
        ctx.graphs.keep(job_id, revision, large)
    before: int | None = job_id
    if job is None:
        before = job_rows.job_of(ctx.store, new.namespace, new.name, last) if last else None
    _set_triggers(ctx, edit, job_id, new, judged.priority, before=before)
    periods.set_of(ctx, job_id, new.namespace, judged.at_least)
    if autonomy_ms is not None or ctx.state.reserves:
        reservations.set_autonomy(ctx.store, job_id, autonomy_ms)
        ctx.state.reserves = 1
    ctx.emit(e.JobPut(job_id, new.namespace, new.name, revision, job is None))
    was = None if job is None else job.revision
    ctx.changed("job", new.namespace, new.name, was, revision, reason=edit.source, verb="put")
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
    ctx: Context, edit: Edit, job: int, new: PreparedJob, priority: int, *, before: int | None
) -> None:
    """`before`: the job itself, for a new one the deleted job that had its name; None: there was none."""
    per_day = sum([each.per_day for each in new.triggers])
    share = eras.share_of(priority, per_day)
    live = trigger_rows.live(ctx.store, job) if before == job else []
    begin_ms = edit.at_ms if before == job else edit.after_ms
    if before is not None:
        begin_ms = max(begin_ms, trigger_rows.last_closed(ctx.store, before) or begin_ms)
    retriggering.replace(
        ctx, job, live, new.triggers, eras.Asks(new.namespace, 0, share),
        retriggering.Instants(begin_ms, edit.at_ms, edit.after_ms), stays=before == job,
    )  # fmt: skip
    asked_rows.add(ctx.store, new.namespace, per_day - sum([trigger.per_day for trigger in live]))
    if before == job:
        eras.wake(ctx, job)  # the edit may say something else of what waits to be caught up


def delete(ctx: Context, edit: Edit, job: Job, *, runs_max: int | None = None) -> int:
    """Returns the revision that ends the job. `runs_max`: no more runs are ended at once."""
    asked = 0
    for trigger in trigger_rows.live(ctx.store, job.id):
        asked += trigger.per_day
        eras.end(ctx, trigger, edit.at_ms, trigger_rows.DELETED)
        listening.forget(ctx, trigger)
    postponing.cancel(ctx, job.id, job.namespace, job.name)
    setting_aside.end_of_job(ctx, job.id)
    backfilling.end_of_job(ctx, job.id)
    eras.wake(ctx, job.id)
    asked_rows.add(ctx.store, job.namespace, -asked)
    most = ACTIVE_RUNS_CANCELLED_MAX if runs_max is None else runs_max
    for run in stopping.in_turn(run_rows.active(ctx.store, job.id, limit=most)):
        if not run.stopping and run.cause != Kind.ORPHAN:
            stopping.end_for_deletion(ctx, run)
    if redating.names_schedules(job.spec):
        redating.drop(ctx, job)
    job_pauses.drop(ctx.store, job.id)
    periods.drop(ctx, job.id)
    left_behind.drop(ctx.store, job.id)
    if ctx.state.reserves:
        reservations.set_autonomy(ctx.store, job.id, None)
    job_rows.delete(ctx.store, job.id)
    namespaces.count_job(ctx.store, job.namespace, -1)
    refs.set_of(ctx.store, Named("job", job.namespace, job.name), ())
    revision = job_rows.last_revision(ctx.store, job.namespace, job.name) + 1
    job_rows.insert_revision(
        ctx.store,
        Revision(job.id, revision, job.namespace, job.name, b"", edit.at_ms, edit.idx, edit.actor, deleted=1),
    )
    ctx.emit(e.JobDeleted(job.id, job.namespace, job.name))
    ctx.changed("job", job.namespace, job.name, job.revision, None, reason=edit.source, verb="delete")
    return revision
