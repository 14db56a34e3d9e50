"""Attempts of the cluster before a restore, as agents tell of them: the row of one, and the run of its own
that it has where no other has a place for it.

An orphan is a run under the id that the old cluster gave it, or beside what was decided without it. Its rows
are a reconstruction (`steps.reconstruct`)."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import selectors
from scheduler.machine.steps import ends, firing, locking, plan_dates, reconstruct
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import codec
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.commands import Finish, RanAttempt
from scheduler.words.lifecycle import ATTEMPT, RUN, START, TASK, AttemptEvent, RunEvent, TaskEvent

ran_attempt = codec.reader_of(RanAttempt)


def report(ctx: Context, attempt: Attempt, ran: RanAttempt) -> None:
    """What the journal says of a live attempt."""
    if ran.ended:
        ends.report(
            ctx,
            Finish(
                attempt.id, attempt.agent, ran.started_ms, ran.finished_ms, ran.exit_code, ran.reason,
                ran.signal, ran.detail, wrote_stderr=ran.wrote_stderr,
            ),
        )  # fmt: skip
    else:
        ends.reached_again(ctx, attempt)


def insert(ctx: Context, agent: Agent, run: Run, task: int, ran: RanAttempt) -> Attempt:
    """The attempt as running; the old cluster's grant is not known, so this command's index is its fence."""
    attempt = Attempt(
        id=ran.attempt, task=task, run=run.id, number=ran.number, agent=agent.id,
        state=ATTEMPT.after(START, AttemptEvent.ADOPTED), live=1, unreachable=0,
        assigned_ms=ran.due_ms, due_ms=ran.due_ms, claim="", session="", fence=ctx.state.idx,
        granted_ms=ctx.stamp_ms, started_ms=ran.started_ms, finished_ms=None, exit_code=None, signal=None,
        reason="", tail=b"", output_bytes=None, late="",
    )  # fmt: skip
    attempt_rows.insert(ctx.store, attempt)
    agent_rows.occupy(ctx.store, agent.id)
    ctx.emit(e.AttemptGranted(attempt.id, run.id, agent.id, ctx.state.idx))
    return attempt


def new_run(ctx: Context, ran: RanAttempt, run_id: int, *, decided: int = 0) -> Run:
    job = job_rows.find(ctx.store, ran.namespace, ran.job)
    if ran.tick_ms is None or job is None:
        decided = 1  # there is no tick to decide
    run = Run(
        id=run_id, job=job.id if job else 0, namespace=ran.namespace, name=ran.job,
        revision=job.revision if job else 0, trigger=0, tick_ms=ran.tick_ms, due_ms=ran.due_ms,
        cause=Kind.ORPHAN.value, cause_key=str(ran.run),
        state=RUN.after(START, RunEvent.ADOPTED), decided=decided, waiting=0, counts=0,
        plan_day=plan_dates.of(ctx, ran.namespace, ran.tick_ms), open_tasks=0,
        first_task=0, last_task=0, kept_last=0, unmade=0, walk="", walked=0, unfinished=0, stopping="",
        created_ms=ctx.stamp_ms, started_ms=ran.started_ms, finished_ms=None, deadline_ms=None, stop_ms=None,
        exit_code=None, priority=0, bound=0, params="{}", actor="",
        reason="started by the cluster before the restore",
    )  # fmt: skip
    return firing.adopt(ctx, run)


def add_beside(ctx: Context, agent: Agent, ran: RanAttempt) -> None:
    """The state has its run, which stays as it is; what ran is shown beside it."""
    add(ctx, agent, new_run(ctx, ran, 0, decided=1), ran)


def add(ctx: Context, agent: Agent, run: Run, ran: RanAttempt) -> None:
    task = task_rows.find(ctx.store, run.id, ran.task, ran.member, ran.round)
    if task is None:
        ctx.state.last_task += 1
        task = Task(
            id=ctx.state.last_task, run=run.id, name=ran.task, member=ran.member, round=ran.round,
            state=TASK.after(START, TaskEvent.ADOPTED), attempts=ran.number, open_needs=0,
            met_needs=0, may_fail=0, queued_ms=None, wake_ms=None, selector=_locks(ctx, run, ran), rank_ms=0,
            started_ms=ran.started_ms, finished_ms=None, exit_code=None, reason="",
        )  # fmt: skip
        task_rows.insert(ctx.store, task)
    attempt = insert(ctx, agent, run, task.id, ran)
    if task.selector and not ran.ended:
        locking.take_over(ctx, run.id, task.id, task.selector, agent.id, alone=True)
    if ran.ended:
        report(ctx, attempt, ran)  # which rebuilds
    else:
        reconstruct.rebuild(ctx, run.id)


def _locks(ctx: Context, run: Run, ran: RanAttempt) -> str:
    """The selector of its task where that takes locks, by the job as it stands; empty: it takes none, or
    nobody knows."""
    if not job_rows.exists(ctx.store, run.job):
        return ""
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    selector = graph.selectors.get(ran.task, "")
    return selector if selectors.has_locks(selector) else ""
