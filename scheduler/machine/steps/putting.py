"""Several jobs are put, all or none: judged one by one and together, then written (`editing`)."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.machine.context import Context, refused
from scheduler.machine.rules import owning, together
from scheduler.machine.rules.shared_asks import Change
from scheduler.machine.steps import editing, redating
from scheduler.machine.steps.editing import Edit, Judged
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.refs import Named
from scheduler.words.commands import PreparedJob
from scheduler.words.outcomes import Code, Outcome

SPENT_TOLD_MAX = 200


def judge(
    ctx: Context,
    jobs: Sequence[PreparedJob],
    after_ms: int,
    source: str,
    gone: Sequence[Job] = (),
    shared: Sequence[Change] = (),
) -> list[Judged] | Outcome:
    """What becomes of each, or why none of them is put. `source`: where they come from; empty: the API;
    `gone`: those that are deleted in the same act;
    `shared`: what schedules ask for more by it."""
    stored, last = _stored(ctx, jobs)
    judged: list[Judged] = []
    over: list[list[object]] = []
    names: dict[tuple[str, str], None] = {}
    for place, new in enumerate(jobs):
        if (new.namespace, new.name) in names:
            return refused(Code.INVALID, f"{new.namespace}/{new.name} twice in one command", name=new.name)
        names[new.namespace, new.name] = None
        verdict = editing.judge(new, stored.get((new.namespace, new.name)), last)
        if isinstance(verdict, Outcome):
            return verdict
        judged.append(verdict)
        if not verdict.is_same:
            if verdict.job is not None and verdict.job.source and (refusal := owned(ctx, verdict, source)):
                return refusal
            over += [[place, each] for each in editing.find_spent(ctx, verdict, after_ms)]
    if over:
        said = f"{len(over)} new triggers fire only in the past, or never"
        return refused(Code.PAST, said, triggers=over[:SPENT_TOLD_MAX])
    changed = [each for each in judged if not each.is_same]
    if refusal := _refuse_stale(ctx, changed):
        return refusal
    refusal = together.judge(
        ctx.store, [(each.new, each.job is None) for each in changed], gone, shared,
        lambda new: _id(stored.get((new.namespace, new.name))),
    )  # fmt: skip
    return refusal or judged


def owned(ctx: Context, judged: Judged, source: str) -> Outcome | None:
    """The refusal of an edit of what comes from elsewhere."""
    what = Named("job", judged.new.namespace, judged.new.name)
    return None if judged.job is None else owning.judge(ctx.store, what, judged.job.source, source)


def _refuse_stale(ctx: Context, judged: Sequence[Judged]) -> Outcome | None:
    if not ctx.state.redates:
        return None
    found = (redating.refuse_edit_of_job(ctx, each.job.id) for each in judged if each.job is not None)
    return next(filter(None, found), None)


def put(ctx: Context, edit: Edit, judged: Sequence[Judged]) -> list[dict[str, object]]:
    """What became of each."""
    if len(judged) == 1 and judged[0].last is not None:
        return [editing.put(ctx, edit, judged[0], judged[0].last)]
    last = _last_revisions(ctx, judged)
    return [editing.put(ctx, edit, each, last.get((each.new.namespace, each.new.name), 0)) for each in judged]


def _stored(ctx: Context, jobs: Sequence[PreparedJob]) -> tuple[dict[tuple[str, str], Job], int | None]:
    """The jobs of these names that there are. Of one name by its own statement, with the highest revision
    that it ever had; of many by few."""
    if len(jobs) == 1:
        new = jobs[0]
        job, last = job_rows.find_and_last(ctx.store, new.namespace, new.name)
        return {} if job is None else {(new.namespace, new.name): job}, last
    return job_rows.find_all(ctx.store, [(new.namespace, new.name) for new in jobs]), None


def _last_revisions(ctx: Context, judged: Sequence[Judged]) -> dict[tuple[str, str], int]:
    """Of the names that are no job now, where nobody looked yet."""
    names = [
        (each.new.namespace, each.new.name) for each in judged if each.job is None and each.last is None
    ]
    return job_rows.last_revisions(ctx.store, names)


def _id(job: Job | None) -> int | None:
    return None if job is None else job.id
