"""The jobs of a template that was changed follow it, one revision each, in steps of the planner. Of one that
cannot it is told why, until it is put anew or follows."""

from __future__ import annotations

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import references, together
from scheduler.machine.steps import editing, redating
from scheduler.machine.steps.editing import Edit
from scheduler.model.templates import KIND
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import left_behind, template_changes
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.left_behind import LeftBehind
from scheduler.store.tables.refs import Named
from scheduler.words import events as e
from scheduler.words.commands import FollowTemplate
from scheduler.words.outcomes import Code, Outcome

JOBS_MAX = 100


def follow_template(ctx: Context, command: FollowTemplate) -> Outcome:
    """One that somebody put meanwhile stays as it was put; and so does one that nobody could put so: it would
    name what is not there, or what it may not have."""
    if len(command.jobs) > JOBS_MAX:
        return refused(Code.LIMIT, f"{len(command.jobs)} jobs in one command, at most {JOBS_MAX}")
    row = template_changes.get(ctx.store, command.namespace, command.name)
    if row is None or row.idx != command.change:
        return refused(Code.SUPERSEDED, "the template is another by now, or all jobs follow it")
    if refusal := redating.refuse_jobs_that_follow(ctx, command.jobs):
        return refusal
    declared = object_rows.find(ctx.store, KIND, command.namespace, command.name)
    actor, followed = declared.actor if declared else "", 0
    for new in command.jobs:
        job = job_rows.find(ctx.store, new.namespace, new.name)
        judged = editing.judge(new, job)
        if job is None or isinstance(judged, Outcome) or judged.is_same:
            continue
        refers = {Named("job", new.namespace, new.name): new.refers}
        refusal = together.judge(ctx.store, [(new, False)]) or references.judge(ctx.store, refers)
        if refusal is not None:
            _leave(ctx, command, job, refusal.detail)
            continue
        left_behind.drop(ctx.store, job.id)
        editing.put(ctx, Edit(actor, job.source, ctx.stamp_ms, ctx.stamp_ms, ctx.state.idx), judged, 0)
        followed += 1
    for left in command.left:
        job = job_rows.find(ctx.store, left.namespace, left.name)
        if job is not None and job.revision == left.revision:
            _leave(ctx, command, job, left.why)
    if command.done:
        template_changes.drop(ctx.store, command.namespace, command.name)
    else:
        through = row._replace(
            after_namespace=command.through_namespace, after_name=command.through_name
        )
        template_changes.move(ctx.store, through)
    return done(followed=followed)


def _leave(ctx: Context, command: FollowTemplate, job: Job, why: str) -> None:
    template = f"{command.namespace}/{command.name}"
    why = why[: left_behind.WHY_LETTERS_MAX]
    left_behind.put(ctx.store, LeftBehind(job.id, job.revision, template, why, ctx.stamp_ms))
    ctx.emit(e.JobLeftBehind(job.id, job.namespace, job.name, template, why))
