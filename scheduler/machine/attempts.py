"""Attempts: placed, claimed, granted, reported, taken back, lost.

Rules of this file (design, section 3):

1. A Grant that is accepted is the grant; its index is the fence. The same session's same claim gets the same
   grant again; any other claim of a granted attempt is refused. Only the agent's newest session may claim.
2. Taking back an attempt without a grant is free (revoked). One with a grant ends by its agent's report, by
   proof of death, by `on_lost` at the end of the lease, or by a person.
3. Terminal states never change. A report that comes after the end is kept beside it, once.
4. An attempt holds its agent's slot while it is live: `agents.busy` counts exactly those.
"""

from __future__ import annotations

import json

from scheduler.machine import orphans, runs, selectors, tasks, walks
from scheduler.machine.context import OK, ROW, Context, done, refused
from scheduler.machine.graphs import Graph
from scheduler.model.compiled import CompiledTask
from scheduler.store import agents as agent_rows
from scheduler.store import attempts as attempt_rows
from scheduler.store import doomed
from scheduler.store import jobs as job_rows
from scheduler.store import runs as run_rows
from scheduler.store import tasks as task_rows
from scheduler.store.attempts import Attempt
from scheduler.store.tasks import Task
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.commands import Finish, Grant, Lose, MarkUnreachable, Place, ReportRunning, Revoke
from scheduler.words.lifecycle import ATTEMPT, ATTEMPT_ENDS, START, TASK, step
from scheduler.words.outcomes import Code, Outcome

LOST_RETRIES_MIN = 1
"""Under `on_lost: retry` a lost attempt is tried again at least so often, whatever `retry.max` says of
failures.
"""

NOT_AGAIN = "not tried again, the job was deleted"
LOSS = 3 * ROW  #: what the loss of one attempt takes of the room, beside what follows from it
TAIL_BYTES_MAX = 16 << 10
DETAIL_LETTERS_MAX = 500


# -- placing ------------------------------------------------------------------------------------


def can_take(ctx: Context, agent: int, selector: str) -> bool:
    """Whether the agent is connected, matches and has a slot."""
    row = agent_rows.get(ctx.store, agent)
    return (
        row is not None
        and row.node != ""
        and not row.draining
        and row.busy < row.slots
        and selectors.matches(selectors.parse(selector), pool=row.pool, labels=row.labels, zone=row.zone)
    )


def place(ctx: Context, *, task: int, run: int, number: int, agent: int, due_ms: int) -> int:
    """A new attempt on an agent that can take it; returns its id. The task's row is the caller's."""
    state = ctx.state
    state.last_attempt += 1
    attempt_rows.insert(
        ctx.store,
        Attempt(
            id=state.last_attempt, task=task, run=run, number=number, agent=agent,
            state=step(ATTEMPT, START, "assigned"), live=1, unreachable=0, assigned_ms=state.stamp_ms,
            due_ms=due_ms, claim="", session="", fence=None, granted_ms=None, started_ms=None,
            finished_ms=None, exit_code=None, signal=None, reason="", tail=b"",
            output_bytes=None, late="",
        ),
    )  # fmt: skip
    agent_rows.occupy(ctx.store, agent)
    ctx.emit(e.AttemptAssigned(state.last_attempt, task, run, agent, due_ms))
    return state.last_attempt


def assign(ctx: Context, command: Place) -> Outcome:
    task = task_rows.get(ctx.store, command.task)
    if task is None or task.state != "queued":
        return refused(Code.SUPERSEDED, f"task {command.task} is not queued")
    if not can_take(ctx, command.agent, task.selector):
        return refused(Code.NOT_CONNECTED, f"agent {command.agent} cannot take it")
    run = run_rows.get(ctx.store, task.run)
    assert run is not None
    if run.stopping:
        tasks.end_of_stopping(ctx, run, task)
        return done(cancelled=True)
    if not job_rows.exists(ctx.store, run.job):
        # More were active than one DeleteJob may end at once.
        runs.end_for_deletion(ctx, run)
        return done(cancelled=True)
    number = task.attempts + 1
    task_rows.activate(ctx.store, task.id, state=step(TASK, task.state, "active"), attempts=number)
    due_ms = run.due_ms if number == 1 else ctx.stamp_ms
    attempt = place(ctx, task=task.id, run=run.id, number=number, agent=command.agent, due_ms=due_ms)
    return done(attempt=attempt)


# -- claims and reports -------------------------------------------------------------------------


def start(ctx: Context, command: Grant) -> Outcome:
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
        return refused(Code.SUPERSEDED, "granted to another claim")
    agent = agent_rows.get(ctx.store, command.agent)
    if agent is None or agent.session != command.session:
        return refused(Code.SUPERSEDED, "a newer session of the agent exists")
    if not agent.node:
        # It would turn what is free to take back into something that needs proof of death.
        return refused(Code.NOT_CONNECTED, "the agent is disconnected: it registers first")
    run = run_rows.get(ctx.store, attempt.run)
    assert run is not None
    if run.stopping:
        return refused(Code.REVOKED, "the run stops")  # in slices, of which one will take the attempt back
    if not job_rows.exists(ctx.store, run.job):
        # Unclaimed it comes back to the queue, and `assign` ends the run.
        return refused(Code.REVOKED, "the job was deleted")
    fence = ctx.state.idx
    attempt_rows.grant(
        ctx.store,
        attempt.id,
        state=step(ATTEMPT, attempt.state, "granted"),
        claim=command.claim,
        session=command.session,
        fence=fence,
        granted_ms=ctx.stamp_ms,
    )
    ctx.emit(e.AttemptGranted(attempt.id, attempt.run, attempt.agent, fence))
    if run.state == "pending":
        graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
        runs.begin(ctx, run, graph, attempt.due_ms)
    return done(fence=fence)


def report_running(ctx: Context, command: ReportRunning) -> Outcome:
    attempt = attempt_rows.get(ctx.store, command.attempt)
    if attempt is None:
        return refused(Code.NOT_FOUND, f"no attempt {command.attempt}")
    if attempt.agent != command.agent or attempt.fence is None:
        return refused(Code.SUPERSEDED, "not granted to this agent")
    if attempt.state in ATTEMPT_ENDS:
        return refused(Code.ENDED, attempt.state)
    if attempt.started_ms == command.started_ms and not attempt.unreachable and attempt.state != "granted":
        return OK
    state = step(ATTEMPT, "granted", "running") if attempt.state == "granted" else attempt.state
    attempt_rows.set_running(ctx.store, attempt.id, state=state, started_ms=command.started_ms)
    if attempt.state == "granted" or attempt.unreachable:
        ctx.emit(e.AttemptRunning(attempt.id, attempt.run, attempt.agent, command.started_ms))
    return OK


def finish(ctx: Context, command: Finish) -> Outcome:
    """Accepted again and again: whoever sends it may drop it on any outcome but a refusal to answer."""
    attempt = attempt_rows.get(ctx.store, command.attempt)
    if attempt is None:
        return refused(Code.NOT_FOUND, f"no attempt {command.attempt}")
    if attempt.agent != command.agent:
        return refused(Code.SUPERSEDED, "the attempt belongs to another agent")
    if attempt.state in ATTEMPT_ENDS:
        return _late(ctx, attempt, command)
    if attempt.fence is None:
        # Without a grant nothing can have run: the agent gives the place back.
        _take_back(ctx, attempt, command.detail[:DETAIL_LETTERS_MAX] or command.reason)
        return done(revoked=True)
    state = _end_state(attempt, command)
    _end(
        ctx,
        attempt,
        state,
        started_ms=command.started_ms if command.started_ms is not None else attempt.started_ms,
        finished_ms=command.finished_ms,
        exit_code=command.exit_code,
        signal=command.signal,
        reason=_reason(command),
        tail=command.tail[-TAIL_BYTES_MAX:],
        output_bytes=_output_bytes(command),
    )
    return done(state=state)


def _output_bytes(command: Finish) -> int | None:
    """No less than the tail; of one that tells a tail alone, the tail is all."""
    if command.output_bytes is None:
        return len(command.tail) or None
    return max(command.output_bytes, len(command.tail))


def _end_state(attempt: Attempt, command: Finish) -> str:
    match command.reason:
        case "exit":
            return "succeeded" if command.exit_code == 0 and command.signal is None else "failed"
        case "timeout":
            return "timed_out"
        case "cancelled":
            # Nobody asked for it: its spooler stopped it when the lease ended.
            return "cancelled" if attempt.state == "cancelling" else "lost"
        case "gone":
            return "lost"
        case _:
            return "failed"


def _reason(command: Finish) -> str:
    if command.reason == "exit":
        return command.detail[:DETAIL_LETTERS_MAX]
    detail = command.detail[:DETAIL_LETTERS_MAX]
    return f"{command.reason}: {detail}" if detail else command.reason


def _late(ctx: Context, attempt: Attempt, command: Finish) -> Outcome:
    same = (
        attempt.finished_ms == command.finished_ms
        and attempt.exit_code == command.exit_code
        and attempt.reason == _reason(command)
    )
    if same or attempt.state == "revoked" or attempt.late:
        return done(state=attempt.state, late=not same)
    late = {
        "started_ms": command.started_ms,
        "finished_ms": command.finished_ms,
        "exit_code": command.exit_code,
        "signal": command.signal,
        "reason": _reason(command),
        "received_ms": ctx.stamp_ms,
    }
    attempt_rows.set_late(ctx.store, attempt.id, json.dumps(late, sort_keys=True, separators=(",", ":")))
    return done(state=attempt.state, late=True)


# -- ends ---------------------------------------------------------------------------------------


def _end(
    ctx: Context,
    attempt: Attempt,
    state: str,
    *,
    started_ms: int | None,
    finished_ms: int,
    exit_code: int | None = None,
    signal: int | None = None,
    reason: str = "",
    tail: bytes = b"",
    output_bytes: int | None = None,
) -> None:
    """End a granted attempt, and decide whether its task is tried again or ends with it."""
    attempt_rows.end(
        ctx.store, attempt.id, state=step(ATTEMPT, attempt.state, state), started_ms=started_ms,
        finished_ms=finished_ms, exit_code=exit_code, signal=signal, reason=reason, tail=tail,
        output_bytes=output_bytes,
    )  # fmt: skip
    agent_rows.release(ctx.store, attempt.agent)
    ctx.emit(e.AttemptEnded(attempt.id, attempt.task, attempt.run, attempt.agent, state, exit_code))
    task = task_rows.get(ctx.store, attempt.task)
    run = run_rows.get(ctx.store, attempt.run)
    assert task is not None
    assert run is not None
    if run.cause == Kind.ORPHAN:
        orphans.rebuild(ctx, run.id)
        return
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    again = run.stopping in ("", walks.LET_END) and _tries_again(graph, task, state)
    gone = again and not job_rows.exists(ctx.store, run.job)
    if again and not gone:
        task_rows.wait_for_retry(
            ctx.store,
            task.id,
            state=step(TASK, task.state, "retry_wait"),
            retry_ms=ctx.stamp_ms + backoff_ms(graph.by_name[task.name], task.attempts),
            exit_code=exit_code,
            reason=reason,
        )
        return
    if gone:
        reason = f"{reason}; {NOT_AGAIN}" if reason else NOT_AGAIN
    tasks.finish(ctx, run, graph, task, state, reason=reason, exit_code=exit_code, started_ms=started_ms)
    if gone and not run.stopping:
        left = run_rows.get(ctx.store, run.id)
        if left is not None and left.finished_ms is None:
            runs.let_end(ctx, left)


def _tries_again(graph: Graph, task: Task, state: str) -> bool:
    retries_max = graph.by_name[task.name].retry_max
    if state == "lost":
        return graph.job.on_lost == "retry" and task.attempts <= max(retries_max, LOST_RETRIES_MIN)
    return state in ("failed", "timed_out") and task.attempts <= retries_max


def backoff_ms(task: CompiledTask, attempts: int) -> int:
    """The wait before the next try, after `attempts` tries."""
    if task.retry_backoff != "exponential":
        return task.retry_first_ms
    # The cap is reached long before 2^40, and no number may grow without end.
    return min(task.retry_cap_ms, task.retry_first_ms << min(attempts - 1, 40))


def lose_row(ctx: Context, attempt: Attempt, reason: str) -> None:
    """A granted attempt is lost: by proof of death, by its policy, or by a person."""
    _end(ctx, attempt, "lost", started_ms=attempt.started_ms, finished_ms=ctx.stamp_ms, reason=reason)


def lose_soon(ctx: Context, attempt: Attempt, reason: str) -> None:
    """As `lose_row`, for one of many: what finds no room is noted, and lost by a Continue."""
    if ctx.room >= LOSS:
        ctx.room -= LOSS
        lose_row(ctx, attempt, reason)
    else:
        doomed.put(ctx.store, attempt.id, reason)


def lose_doomed(ctx: Context) -> None:
    """Go on with what `lose_soon` noted. One that has ended meanwhile stays as it is."""
    while ctx.room > 0 and (noted := doomed.first(ctx.store)) is not None:
        ctx.room -= LOSS
        doomed.drop(ctx.store, noted.attempt)
        attempt = attempt_rows.get(ctx.store, noted.attempt)
        if attempt is not None and attempt.live and attempt.fence is not None:
            lose_row(ctx, attempt, noted.reason)


def revoke_row(ctx: Context, attempt: Attempt, reason: str) -> None:
    """Take back an attempt without a grant; what becomes of its task is the caller's."""
    attempt_rows.end(
        ctx.store, attempt.id, state=step(ATTEMPT, attempt.state, "revoked"), started_ms=None,
        finished_ms=ctx.stamp_ms, exit_code=None, signal=None, reason=reason, tail=b"",
        output_bytes=0,
    )  # fmt: skip
    agent_rows.release(ctx.store, attempt.agent)
    ctx.emit(e.AttemptEnded(attempt.id, attempt.task, attempt.run, attempt.agent, "revoked", None))


def _take_back(ctx: Context, attempt: Attempt, reason: str) -> None:
    """Revoke and queue the task again; in a run that stops it ends."""
    revoke_row(ctx, attempt, reason)
    task = task_rows.get(ctx.store, attempt.task)
    run = run_rows.get(ctx.store, attempt.run)
    assert task is not None
    assert run is not None
    if run.stopping:
        tasks.end_of_stopping(ctx, run, task)
        return
    tasks.enqueue(ctx, run, task, attempts=task.attempts - 1)


def revoke(ctx: Context, command: Revoke) -> Outcome:
    attempt = attempt_rows.get(ctx.store, command.attempt)
    if attempt is None or attempt.state != "assigned":
        return refused(Code.SUPERSEDED, f"attempt {command.attempt} is not just assigned")
    _take_back(ctx, attempt, command.reason)
    return OK


def mark_unreachable(ctx: Context, command: MarkUnreachable) -> Outcome:
    attempt = _orphan(ctx, command.epoch, command.attempt, command.since_ms)
    if isinstance(attempt, Outcome):
        return attempt
    if not attempt.unreachable:
        attempt_rows.set_unreachable(ctx.store, attempt.id, 1)
        ctx.emit(e.AttemptUnreachable(attempt.id, attempt.run, attempt.agent))
    return OK


def lose(ctx: Context, command: Lose) -> Outcome:
    attempt = _orphan(ctx, command.epoch, command.attempt, command.since_ms)
    if isinstance(attempt, Outcome):
        return attempt
    lose_row(ctx, attempt, command.reason)
    return OK


def _orphan(ctx: Context, epoch: int, attempt: int, since_ms: int) -> Attempt | Outcome:
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


def reached_again(ctx: Context, attempt: Attempt) -> None:
    """Its agent is back and still runs it, or holds its end."""
    if attempt.unreachable:
        attempt_rows.set_unreachable(ctx.store, attempt.id, 0)
        ctx.emit(
            e.AttemptRunning(attempt.id, attempt.run, attempt.agent, attempt.started_ms or attempt.due_ms)
        )
