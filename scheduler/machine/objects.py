"""Objects and jobs, put and deleted in one act.

All or none: everything is judged before anything is written, and what is told of each is decided by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import (
    owning,
    pins,
    references,
    revisions,
    route_counts,
    shared_asks,
    substitutes,
)
from scheduler.machine.steps import editing, editing_objects, putting, redating
from scheduler.machine.steps.editing import Edit
from scheduler.machine.steps.editing_objects import Judged, named
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.objects import Object
from scheduler.store.tables.refs import Named
from scheduler.words.commands import Apply, Deletion
from scheduler.words.outcomes import Code, Outcome

ITEMS_MAX = 1_000


def apply(ctx: Context, command: Apply) -> Outcome:
    if wrong := _misshapen(command):
        return wrong
    objects: list[Judged] = []
    for new in command.objects:
        verdict = editing_objects.judge(ctx, new, command.source)
        if isinstance(verdict, Outcome):
            return verdict
        objects.append(verdict)
    gone = _judge_deletions(ctx, command.deletions, command.source)
    if isinstance(gone, Outcome):
        return gone
    gone_jobs = [stored for stored in gone.values() if isinstance(stored, Job)]
    beside = substitutes.put_with(command.objects, gone)
    shared = shared_asks.changes(ctx.store, beside) if beside else []
    jobs = putting.judge(ctx, command.jobs, command.after_ms, command.source, gone_jobs, shared)
    if isinstance(jobs, Outcome):
        return jobs
    puts = {named(new): new.refers for new in command.objects}
    puts |= {Named("job", new.namespace, new.name): new.refers for new in command.jobs}
    if wrong := references.judge(ctx.store, puts, gone):
        return wrong
    changed = [each.new for each in jobs if not each.is_same]
    if superseded := pins.judge(ctx.store, changed, pins.put_with(command.objects)):
        return superseded
    if wrong := substitutes.judge(ctx.store, command.objects, beside):
        return wrong
    if wrong := route_counts.judge(ctx.store, route_counts.change(ctx.store, command.objects, gone)):
        return wrong
    edit = Edit(command.actor.name, command.source, command.after_ms, ctx.stamp_ms, ctx.state.idx)
    deleted = _delete(ctx, edit, gone)
    return done(
        objects=[editing_objects.put(ctx, edit, each) for each in objects],
        jobs=putting.put(ctx, edit, jobs),
        deleted=deleted,
        stamp_ms=ctx.stamp_ms,
    )


def _misshapen(command: Apply) -> Outcome | None:
    """What could not be, whatever the state."""
    names = [*map(named, command.objects)]
    names += [Named("job", new.namespace, new.name) for new in command.jobs]
    names += [Named(each.kind, each.namespace, each.name) for each in command.deletions]
    if len(names) > ITEMS_MAX:
        return refused(Code.LIMIT, f"{len(names)} objects in one command, at most {ITEMS_MAX}")
    seen: dict[Named, None] = {}
    for name in names:
        if name in seen:
            return refused(Code.INVALID, f"{name} twice in one command", **name._asdict())
        seen[name] = None
    return None


def _judge_deletions(
    ctx: Context, deletions: Sequence[Deletion], source: str
) -> dict[Named, Job | Object] | Outcome:
    gone: dict[Named, Job | Object] = {}
    for each in deletions:
        what = Named(each.kind, each.namespace, each.name)
        stored = (
            job_rows.find(ctx.store, each.namespace, each.name)
            if each.kind == "job"
            else object_rows.find(ctx.store, *what)
        )
        if stored is None:
            return refused(Code.NOT_FOUND, f"no {what}", **what._asdict())
        if wrong := revisions.judge(what, stored.revision, each.if_revision):
            return wrong
        if wrong := owning.judge(ctx.store, what, stored.source, source):
            return wrong
        if isinstance(stored, Job):
            stale = redating.refuse_edit_of_job(ctx, stored.id)
        else:
            stale = redating.refuse_edit_of_object(ctx, what)
        if stale is not None:
            return stale
        gone[what] = stored
    return gone


def _delete(ctx: Context, edit: Edit, gone: dict[Named, Job | Object]) -> list[dict[str, object]]:
    """Jobs end runs: those of one command together no more at once than one alone."""
    runs_max = editing.ACTIVE_RUNS_CANCELLED_MAX // max(1, len(gone))
    deleted: list[dict[str, object]] = []
    for what, stored in gone.items():
        if isinstance(stored, Job):
            revision = editing.delete(ctx, edit, stored, runs_max=runs_max)
        else:
            revision = editing_objects.delete(ctx, edit, stored)
        deleted.append({**what._asdict(), "revision": revision})
    return deleted
