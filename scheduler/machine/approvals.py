"""A person answers what a task asks. Whether they may is `rules.approving`; what follows from the end is what
follows from any (`steps.ends`)."""

from __future__ import annotations

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import approving, hands
from scheduler.machine.steps import ends
from scheduler.store.tables import approvals
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.approvals import APPROVED
from scheduler.words import events as e
from scheduler.words.commands import AnswerApproval
from scheduler.words.commands.approvals import NEWEST
from scheduler.words.outcomes import Code, Outcome


def answer_approval(ctx: Context, command: AnswerApproval) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    name, answer, reason = command.actor.name, command.answer, command.reason
    if command.round == NEWEST:
        task = task_rows.newest(ctx.store, run.id, command.task)
    else:
        task = task_rows.find(ctx.store, run.id, command.task, task_rows.ONLY, command.round)
    if task is None:
        of_round = "" if command.round == NEWEST else f" in round {command.round}"
        return refused(Code.NOT_FOUND, f"run {run.id} has no task {command.task[:100]!r}{of_round}")
    asked = approvals.get(ctx.store, task.id)
    refusal = hands.of_reason(reason) or approving.judge(task, asked, name, answer, ctx.stamp_ms)
    if refusal is not None:
        return refusal
    assert asked is not None
    if asked.answer:  # the same, once more
        return done(run=run.id, answer=answer)
    if (refusal := hands.answering(run, task)) is not None:
        return refusal
    approvals.answer(
        ctx.store, task.id, answer=answer, actor=name, answered_ms=ctx.stamp_ms, reason=reason
    )
    ctx.emit(
        e.ApprovalAnswered(
            task.id, run.id, run.namespace, run.name, task.name, task.round, answer, name, reason
        )
    )
    ctx.changed(
        "task", run.namespace, f"{run.name}/{task.name}", task.state, answer, run=run.id, reason=reason,
        verb="approve" if answer == APPROVED else "reject",
    )  # fmt: skip
    said = f"{answer} by {name}" if name else answer
    ends.finish(
        ctx, run, task, "succeeded" if answer == APPROVED else "failed", started_ms=task.started_ms,
        reason=f"{said}: {reason}" if reason else said,
    )  # fmt: skip
    return done(run=run.id, answer=answer)
