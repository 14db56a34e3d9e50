"""Attempts: placed, granted, reported, taken back, lost.

Rules of this file:

1. A Grant that is accepted is the grant; its index is the fence. The same session's same claim gets the same
   grant again; any other claim of a granted attempt is refused. Only the agent's newest session may claim.
2. What an end comes to is `steps.ends`, where a slot is held `steps.placing`.
"""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import selectors
from scheduler.machine.rules.gates import READY, locks
from scheduler.machine.steps import (
    admitting,
    beginning,
    ends,
    hearing,
    locking,
    placing,
    reserving,
    sticking,
    stopping,
    windows,
)
from scheduler.model.checks import is_check
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import namespaces as namespace_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.reservations import BY_ITSELF
from scheduler.store.tables.runs import FOR_REQUIRES, Run
from scheduler.words import events as e
from scheduler.words.commands import Finish, Grant, Lose, MarkUnreachable, Place, ReportRunning, Revoke
from scheduler.words.lifecycle import ATTEMPT_ENDS, AWAITING, KEPT_BACK, AttemptEvent, TaskEvent
from scheduler.words.outcomes import Code, Outcome


def place(ctx: Context, command: Place) -> Outcome:
    task = task_rows.get(ctx.store, command.task)
    if task is None or task.state != "queued":
        return refused(Code.SUPERSEDED, f"task {command.task} is not queued")
    run = run_rows.get(ctx.store, task.run)
    assert run is not None
    verdict = placing.judge(ctx, run, command.agent, task.selector)
    if verdict is locks.WAITS:
        # Its run may have lost its locks since it was queued, with the only attempt of it: it asks for them.
        locking.set_right(ctx, run.id, task)
        return refused(Code.SUPERSEDED, f"task {task.id} has to wait for a resource")
    if verdict is not READY:
        return refused(Code.NOT_CONNECTED, f"agent {command.agent} cannot take it")
    if ends.never_starts(ctx, run, task):
        return done(cancelled=True)
    if ends.waits_with_run(ctx, run, task, attempts=task.attempts):
        return done(kept_back=True)
    if not job_rows.exists(ctx.store, run.job):
        # More were active than one DeleteJob may end at once.
        stopping.end_for_deletion(ctx, run)
        return done(cancelled=True)
    number = task.attempts + 1
    task_rows.move(ctx.store, task, TaskEvent.PLACED, attempts=number)
    due_ms = run.due_ms if number == 1 else ctx.stamp_ms
    took = False
    if selectors.has_locks(task.selector):
        took = locking.take(ctx, run.id, task.id, task.selector, command.agent)
        sticking.stick(ctx, task.selector, command.agent)
    attempt = placing.place(ctx, task=task.id, run=run.id, number=number, agent=command.agent, due_ms=due_ms)
    if took:
        admitting.let_inside(ctx, run)
    return done(attempt=attempt)




def grant(ctx: Context, command: Grant) -> Outcome:
    attempt = attempt_rows.get(ctx.store, command.attempt)
    if attempt is None:
        return refused(Code.NOT_FOUND, f"no attempt {command.attempt}")
    if attempt.agent != command.agent:
        return refused(Code.SUPERSEDED, "the attempt belongs to another agent")
    if attempt.state == "revoked":
        return refused(Code.REVOKED)
    if attempt.state in ATTEMPT_ENDS:
        return refused(Code.ENDED, attempt.state)
    if attempt.fence is not None:
        if attempt.session == command.session and attempt.claim == command.claim:
            return done(fence=attempt.fence)
        if attempt.claim != BY_ITSELF:
            return refused(Code.SUPERSEDED, "granted to another claim")
    agent = agent_rows.get(ctx.store, command.agent)
    if agent is None or agent.session != command.session:
        return refused(Code.SUPERSEDED, "a newer session of the agent exists")
    if not agent.node:
        # It would turn what is free to take back into something that needs proof of death.
        return refused(Code.NOT_CONNECTED, "the agent is disconnected: it registers first")
    if attempt.fence is not None:  # it was reserved, and is the agent's: this is the first claim of it
        attempt_rows.set_claim(ctx.store, attempt.id, command.claim, command.session)
        return done(fence=attempt.fence)
    if agent.draining:
        return refused(Code.REVOKED, "the agent drains")  # the planner takes the attempt back
    run = run_rows.get(ctx.store, attempt.run)
    assert run is not None
    if run.stopping:
        return refused(Code.REVOKED, "the run stops")  # in slices, of which one will take the attempt back
    if run.state in KEPT_BACK:
        return refused(Code.REVOKED, "the run is suspended")  # as above
    asks = run.waiting == FOR_REQUIRES and _is_check(ctx, attempt.task)
    if run.waiting and not asks:
        return refused(Code.REVOKED, "the run waits again")  # its window has ended: as above
    if not job_rows.exists(ctx.store, run.job):
        # Unclaimed it comes back to the queue, and `place` ends the run.
        return refused(Code.REVOKED, "the job was deleted")
    if run.tasks > 1 and _is_outside(ctx, run, attempt.task):
        return refused(Code.REVOKED, "the window of its group has ended")  # as above: back, it waits
    if withdrawn := _withdrawn_user(ctx, attempt, run):
        return refused(Code.REVOKED, withdrawn)  # as above: back in the queue, a gate keeps it
    graph = None
    if run.state == "pending" and not asks:
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        if graph.job.openings is not None and windows.has_ended(ctx, run, graph.job.openings, attempt.due_ms):
            return refused(Code.REVOKED, "its admission window has ended")  # a Rejudge keeps the run back
    fence = ctx.state.idx
    attempt_rows.move(
        ctx.store, attempt, AttemptEvent.GRANTED, claim=command.claim, session=command.session, fence=fence,
        granted_ms=ctx.stamp_ms,
    )  # fmt: skip
    ctx.emit(e.AttemptGranted(attempt.id, attempt.run, attempt.agent, fence))
    if graph is not None:
        beginning.begin_run(ctx, run, graph, attempt.due_ms)
    return done(fence=fence)


def _is_check(ctx: Context, id: int) -> bool:
    task = task_rows.get(ctx.store, id)
    return task is not None and is_check(task.name)


def _is_outside(ctx: Context, run: Run, id: int) -> bool:
    """Of the windows of its group."""
    task = task_rows.get(ctx.store, id)
    return task is not None and windows.is_outside(ctx, run, task)


def _withdrawn_user(ctx: Context, attempt: Attempt, run: Run) -> str:
    """Who its namespace does not let it run as any more, in words; empty: nobody."""
    allowance = namespace_rows.allowance(ctx.store, run.namespace)
    if allowance is None or allowance.users == "[]":
        return ""
    task = task_rows.get(ctx.store, attempt.task)
    user = selectors.parse(task.selector).user if task is not None and task.selector else ""
    return f"tasks of {run.namespace} may not run as {user}" * (user not in ("", *allowance.allowed_users))


def report_running(ctx: Context, command: ReportRunning) -> Outcome:
    if ctx.state.reserves:
        reserving.begun(ctx, command.attempt, command.agent, command.started_ms)
    attempt = attempt_rows.get(ctx.store, command.attempt)
    if attempt is None:
        return refused(Code.NOT_FOUND, f"no attempt {command.attempt}")
    if attempt.agent != command.agent or attempt.fence is None:
        return refused(Code.SUPERSEDED, "not granted to this agent")
    if attempt.state in ATTEMPT_ENDS or attempt.state == AWAITING:
        return refused(Code.ENDED, attempt.state)
    if attempt.started_ms == command.started_ms and not attempt.unreachable and attempt.state != "granted":
        return OK
    attempt_rows.move(
        ctx.store, attempt, AttemptEvent.RUNS, started_ms=command.started_ms, unreachable=0
    )
    if attempt.state == "granted" or attempt.unreachable:
        ctx.emit(e.AttemptRunning(attempt.id, attempt.run, attempt.agent, command.started_ms))
    return OK




























def revoke(ctx: Context, command: Revoke) -> Outcome:
    attempt = attempt_rows.get(ctx.store, command.attempt)
    if attempt is None or attempt.state != "assigned":
        return refused(Code.SUPERSEDED, f"attempt {command.attempt} is not just assigned")
    ends.take_back(ctx, attempt, command.reason)
    return OK


def finish(ctx: Context, command: Finish) -> Outcome:
    ctx.has_end, ctx.reporter = False, command.agent
    if ctx.state.reserves:
        reserving.begun(ctx, command.attempt, command.agent, command.started_ms)
    outcome = ends.report(ctx, command)
    if ctx.has_end:
        hearing.hear_soon(ctx)
    ctx.reporter = 0
    return outcome


def mark_unreachable(ctx: Context, command: MarkUnreachable) -> Outcome:
    attempt = _unreached(ctx, command.epoch, command.attempt, command.since_ms)
    if isinstance(attempt, Outcome):
        return attempt
    if not attempt.unreachable:
        attempt_rows.set_unreachable(ctx.store, attempt.id, 1)
        ctx.emit(e.AttemptUnreachable(attempt.id, attempt.run, attempt.agent))
    return OK


def lose(ctx: Context, command: Lose) -> Outcome:
    attempt = _unreached(ctx, command.epoch, command.attempt, command.since_ms)
    if isinstance(attempt, Outcome):
        return attempt
    ends.lose(ctx, attempt, command.reason)
    return OK


def _unreached(ctx: Context, epoch: int, attempt: int, since_ms: int) -> Attempt | Outcome:
    """The granted attempt of an agent that no node holds since that instant, or why not. An agent that came
    back for a moment has renewed its lease, which begins anew with the next disconnection.
    """
    row = attempt_rows.get(ctx.store, attempt)
    if row is None or not row.live or row.fence is None:
        return refused(Code.ENDED, f"attempt {attempt} is not granted and live")
    agent = agent_rows.get(ctx.store, row.agent)
    if agent is not None and agent.node:
        return refused(Code.SUPERSEDED, f"agent {row.agent} is connected")
    if agent is not None and agent.disconnected_ms != since_ms:
        return refused(Code.SUPERSEDED, f"agent {row.agent} was connected in between")
    return row


