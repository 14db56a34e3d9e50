"""A run that has ended is repeated: a new run, of the same tick and plan date, which takes over what is not
to be done again. Which tasks those are is `rules.reruns`; they are made by `steps.repeating`."""

from __future__ import annotations

from scheduler.machine.context import EDGE, Context, done, refused
from scheduler.machine.rules import hands, reruns
from scheduler.machine.steps import firing
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.reruns import Rerun
from scheduler.words.causes import Cause, Kind, rerun_key
from scheduler.words.commands import RerunRun
from scheduler.words.outcomes import Code, Outcome


def rerun_run(ctx: Context, command: RerunRun) -> Outcome:
    """As a person's run it is always made, and is in the way of others."""
    source = run_rows.get(ctx.store, command.run)
    if source is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    job = job_rows.standing(ctx.store, source.job)
    if job is None:
        said = f"{source.namespace}/{source.name} was deleted: there is no job that run {source.id} is of"
        return refused(Code.ENDED, said)
    revision = command.revision or source.revision
    if job_rows.job_of(ctx.store, source.namespace, source.name, revision) != source.job:
        return refused(Code.MISSING, f"{source.namespace}/{source.name} has no revision {revision}")
    graph = ctx.graph(job.id, source.namespace, source.name, revision)
    if (refusal := hands.of_reason(command.reason)) is not None:
        return refusal
    wanted = reruns.wanted_of(command, source)
    ended = task_rows.ends(ctx.store, source.id) if wanted.takes else {}
    ctx.room -= EDGE * len(ended)  # of very many tasks fewer are made at once
    plan = reruns.judge(graph, source, ended, wanted)
    if isinstance(plan, Outcome):
        return plan
    number = ctx.state.last_run + 1
    made = firing.fire(
        ctx,
        Cause(Kind.RERUN, rerun_key(source.id, number), 0, source.tick_ms),
        job._replace(revision=revision),
        due_ms=command.due_ms,
        params=command.params.decode("utf-8", "replace"),
        actor=command.actor.name,
        bound=source.bound,
        plan_day=source.plan_day,
        held=command.reason if command.held else None,
        rerun=Rerun(
            number, source.id, plan, int(command.heard), int(command.from_failed), command.from_task,
            command.until_task,
        ),
        vars_of=0 if command.revision else source.id,
    )  # fmt: skip
    if not made.ok:
        return made
    ctx.changed(
        "run", source.namespace, source.name, f"run {source.id}", f"run {number}", run=number,
        reason=command.reason,
    )  # fmt: skip
    return done(run=number)

