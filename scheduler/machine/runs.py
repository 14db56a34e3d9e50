"""Runs: made, admitted, stopped, ended.

Rules of this file:

1. A run is pinned to a revision. Its tasks are made with it, of very many the later ones in `slices`.
2. A run that waits (overlap: queue_one, queue_all, cancel_running) has its roots blocked until the job's
   other runs have ended; then the oldest waiting one is admitted.
3. Every end of a run goes through `end`, which also writes the one ledger entry of its tick when no
   start has, counts for its job, and admits the next.
4. A real exit wins over a cancellation: a run whose tasks all succeeded has succeeded, asked to stop or not.
"""

from __future__ import annotations

from scheduler.machine import attempts, eras, slices, walks
from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.graphs import Graph
from scheduler.store import agents as agent_rows
from scheduler.store import attempts as attempt_rows
from scheduler.store import jobs as job_rows
from scheduler.store import restores
from scheduler.store import runs as run_rows
from scheduler.store import tasks as task_rows
from scheduler.store import tells as tell_rows
from scheduler.store.runs import Run
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.commands import CancelRun, ExpireRun, ResolveRun, RunJob, StopRun
from scheduler.words.lifecycle import RUN, RUN_ENDS, START, TICK, step
from scheduler.words.outcomes import Code, Outcome

DELETED = "job deleted"
FAILED = frozenset({"failed", "timed_out", "lost"})
_GRAVEST_FIRST = ("failed", "timed_out", "lost", "expired", "cancelled")


def create(
    ctx: Context,
    graph: Graph,
    *,
    job: int,
    namespace: str,
    name: str,
    revision: int,
    due_ms: int,
    cause: Kind,
    trigger: int = 0,
    tick_ms: int | None = None,
    deadline_ms: int | None = None,
    params: str = "{}",
    actor: str = "",
    waiting: bool = False,
    agent: int = 0,
) -> int:
    """Make a run with its tasks; the single root goes to `agent` when that can take it. Returns the run's
    id.
    """
    state = ctx.state
    state.last_run += 1
    run = state.last_run
    compiled = graph.job
    total = len(compiled.tasks)
    made = ctx.take_rows(total, least=1)
    row = Run(
        id=run, job=job, namespace=namespace, name=name, revision=revision, trigger=trigger, tick_ms=tick_ms,
        due_ms=due_ms, cause=cause.value, state=step(RUN, START, "pending"),
        decided=1 if tick_ms is None else 0, waiting=1 if waiting else 0, open_tasks=total,
        first_task=state.last_task + 1, last_task=state.last_task + total,
        unmade=total - made, walk="", walked=0, unfinished=int(made < total),
        stopping="", created_ms=state.stamp_ms, started_ms=None, finished_ms=None,
        deadline_ms=deadline_ms, stop_ms=None, exit_code=None, priority=compiled.priority,
        params=params, reason="", actor=actor,
    )  # fmt: skip
    state.last_task += total
    run_rows.insert(ctx.store, row)
    job_rows.count_run_begun(ctx.store, job)
    ctx.emit(e.RunCreated(run, job, namespace, name, row.cause, tick_ms, due_ms))
    slices.make(ctx, row, graph, range(made), agent=agent)
    return run


def run_job(ctx: Context, command: RunJob) -> Outcome:
    """A person's run is always accepted, whatever `overlap` says of ticks; it counts as active for them."""
    job = job_rows.find(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    graph = ctx.graph(job.id, job.namespace, job.name, job.revision)
    deadline_ms = graph.job.start_deadline_ms
    run = create(
        ctx,
        graph,
        job=job.id,
        namespace=job.namespace,
        name=job.name,
        revision=job.revision,
        due_ms=command.due_ms,
        cause=Kind.MANUAL,
        deadline_ms=None if deadline_ms is None else max(command.due_ms, ctx.stamp_ms) + deadline_ms,
        params=command.params.decode("utf-8", "replace"),
        actor=command.actor,
        agent=command.agent,
    )
    return done(run=run)


def begin(ctx: Context, run: Run, graph: Graph, due_ms: int) -> None:
    """The first grant of the run is committed: it runs, and so its tick ran."""
    # Granted ahead of its instant, an attempt starts at that instant and not before.
    started_ms = max(ctx.stamp_ms, due_ms)
    timeout_ms = graph.job.timeout_ms
    stop_ms = None if timeout_ms is None else started_ms + timeout_ms
    run_rows.begin(
        ctx.store, run.id, state=step(RUN, run.state, "running"), started_ms=started_ms, stop_ms=stop_ms
    )
    if not run.decided:
        decide_tick(ctx, run, "ran", "")
    ctx.emit(e.RunStarted(run.id, run.job, run.namespace, run.name))


def decide_tick(ctx: Context, run: Run, outcome: str, reason: str) -> None:
    """The one ledger entry of a run's tick."""
    assert run.tick_ms is not None
    step(TICK, "pending", outcome)
    seq = ctx.write_ledger(
        job=run.job, trigger=run.trigger, first_ms=run.tick_ms, last_ms=run.tick_ms, count=1,
        outcome=outcome, reason=reason, run=run.id,
    )  # fmt: skip
    ctx.emit(
        e.TickDecided(
            seq,
            run.job,
            run.namespace,
            run.name,
            run.trigger,
            run.tick_ms,
            run.tick_ms,
            1,
            outcome,
            reason,
            run.id,
        )
    )


def end(
    ctx: Context, run: Run, *, state: str, exit_code: int | None, reason: str, missed: str = "deadline"
) -> None:
    """`missed`: why its tick is, when the run is `expired` before any start."""
    if state != "succeeded":
        reason = reason or run.reason
    else:  # whoever asked it to stop came too late: that is not why it ended
        reason = f"too late: {run.reason}" if run.stopping not in ("", walks.LET_END) else ""
    run_rows.end(
        ctx.store,
        run.id,
        state=step(RUN, run.state, state),
        finished_ms=ctx.stamp_ms,
        exit_code=exit_code,
        reason=reason,
    )
    if not run.decided:
        if state == "cancelled":
            decide_tick(ctx, run, "skipped", "cancelled")
        elif state == "expired":
            decide_tick(ctx, run, "missed", missed)
        else:
            decide_tick(ctx, run, "missed", "lost_before_start")
    tally = job_rows.count_run_ended(ctx.store, run.job, run=run.id, state=state, failed=state in FAILED)
    ctx.emit(e.RunEnded(run.id, run.job, run.namespace, run.name, state, exit_code))
    if tally is None:
        return
    if state in FAILED and tally.state == "active":
        limit = ctx.graph(run.job, run.namespace, run.name, run.revision).job.pause_after_failures
        if limit is not None and tally.failures >= limit:
            job_rows.set_state(ctx.store, run.job, state="paused", reason="failures")
            ctx.emit(e.JobPaused(run.job, run.namespace, run.name, "failures"))
    follow(ctx, run.job, tally.active_runs)


def follow(ctx: Context, job: int, active_runs: int) -> None:
    """A run of the job ended: who waited for that goes on."""
    if active_runs > 0:
        admit_next(ctx, job)
    else:
        eras.wake(ctx, job)


def admit_next(ctx: Context, job: int) -> None:
    """The oldest waiting run of the job goes on, if no other is admitted."""
    waiting = run_rows.waiting(ctx.store, job, limit=1)
    if not waiting or run_rows.first_admitted(ctx.store, job) is not None:
        return
    run = run_rows.get(ctx.store, waiting[0])
    assert run is not None
    run_rows.admit(ctx.store, run.id)
    slices.begin_walk(ctx, run._replace(waiting=0), walks.ADMIT)


def close_if_done(
    ctx: Context, run: Run, open_tasks: int, last: tuple[str, int | None, str] | None = None
) -> None:
    """Count the tasks still open; with none left the run ends. `last`: how the task of a one-task run
    ended.
    """
    if open_tasks > 0:
        if open_tasks != run.open_tasks:
            run_rows.set_open_tasks(ctx.store, run.id, open_tasks)
        return
    alone = last is not None and len(ctx.graph(run.job, run.namespace, run.name, run.revision).job.tasks) == 1
    state, exit_code, reason = _result(ctx, run, last if alone else None)
    tell_rows.drop(ctx.store, run.id)
    missed = run.walk if run.walk == walks.RESTORED else walks.DEADLINE
    end(ctx, run, state=state, exit_code=exit_code, reason=reason, missed=missed)


def _result(
    ctx: Context, run: Run, alone: tuple[str, int | None, str] | None
) -> tuple[str, int | None, str]:
    """How a run ended, by its tasks: the gravest end of those that may not fail. Exit code and reason are
    that task's. `alone`: how the only task ended.
    """
    if alone is not None and alone[0] == "succeeded":
        return "succeeded", alone[1], ""
    own = run.stopping in ("", walks.LET_END)
    forgiven = tuple(sorted(FAILED)) if own else ()
    worst = task_rows.gravest(ctx.store, run.id, _GRAVEST_FIRST, forgiven)
    if worst is None:
        return "succeeded", task_rows.last_exit_code(ctx.store, run.id), ""
    if not own:
        return run.stopping, worst.exit_code, run.reason or worst.reason
    if run.stopping:
        told = worst.reason if worst.reason != run.reason else ""
        return worst.state, worst.exit_code, f"{run.reason}; {told}" if told else run.reason
    return worst.state, worst.exit_code, worst.reason


# -- stopping -----------------------------------------------------------------------------------


def stop(ctx: Context, run: Run, *, stopping: str, reason: str, walk: str = walks.STOP) -> None:
    """Cancel (or expire) what has not started and ask agents to stop what has; of many tasks in slices."""
    run_rows.set_stopping(ctx.store, run.id, stopping=stopping, reason=reason)
    slices.begin_walk(ctx, run._replace(stopping=stopping, reason=reason, waiting=0), walk)


def let_end(ctx: Context, run: Run) -> None:
    """The job is no more: of a run that has begun nothing more starts, and what runs comes to its own end."""
    run_rows.set_let_end(ctx.store, run.id, stopping=walks.LET_END, reason=DELETED)
    slices.begin_walk(ctx, run._replace(stopping=walks.LET_END, reason=DELETED), walks.LET_END)


def end_for_deletion(ctx: Context, run: Run) -> None:
    if run.state == "pending":
        stop(ctx, run, stopping="cancelled", reason=DELETED)
    else:
        let_end(ctx, run)


def restored_ms(ctx: Context) -> int:
    """When the first leader after the latest restore took office."""
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    return restore.taken_ms or 0 if restore is not None else 0


def cancel_run(ctx: Context, command: CancelRun) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    if run.state in RUN_ENDS:
        return refused(Code.ENDED, f"run {run.id} ended: {run.state}", state=run.state)
    if run.stopping in ("", walks.LET_END):
        by = f"cancelled by {command.actor}" if command.actor else "cancelled"
        stop(ctx, run, stopping="cancelled", reason=by)
    return done(run=run.id)


def stop_run(ctx: Context, command: StopRun) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None or run.state != "running" or run.stopping not in ("", walks.LET_END):
        return refused(Code.ENDED, f"run {command.run} does not run")
    stop(ctx, run, stopping="timed_out", reason="timeout")
    return OK


def expire_run(ctx: Context, command: ExpireRun) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None or run.state != "pending" or run.deadline_ms is None:
        return refused(Code.ENDED, f"run {command.run} waits for no start")
    stop(ctx, run, stopping="expired", reason="start deadline passed", walk=walks.DEADLINE)
    return OK


def resolve_run(ctx: Context, command: ResolveRun) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    if run.state in RUN_ENDS:
        return refused(Code.ENDED, f"run {run.id} ended: {run.state}", state=run.state)
    resolved = 0
    for attempt in attempt_rows.live_of_run(ctx.store, run.id):
        agent = agent_rows.get(ctx.store, attempt.agent)
        connected = agent is not None and agent.node != ""
        if attempt.state != "assigned" and (attempt.unreachable or not connected):
            by = f"resolved by {command.actor}" if command.actor else "resolved"
            attempts.lose_soon(ctx, attempt, by)
            resolved += 1
    if not resolved:
        return refused(Code.INVALID, f"run {run.id} has no attempt on an agent that cannot be reached")
    return done(run=run.id, attempts=resolved)
