"""What agents of the old cluster ran after the backup: adopted from their journals.

Rules of this file (docs/decisions/0013-a-restore-is-a-new-cluster.md):

1. An attempt that the state has ends by what its journal says, through the same code as any report. One that
   it does not have and whose run it has joins that run. All others are orphans: runs of cause `orphan`, under
   the ids that the old cluster gave them (no new one is like it, see `store.restores`).
2. An orphan's tick, if its job has one at that instant that is still undecided, ends as ran with that run:
   `prove`, when its turn comes. No journal, no evidence: nothing is guessed.
3. The rows of an orphan are a reconstruction: whenever something more is told of it they are made anew from
   its attempts (`rebuild`), ended or not. It has no graph, no retries, no dependents; it may be cancelled.
4. Telling twice changes nothing.
"""

from __future__ import annotations

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import selectors
from scheduler.machine.steps import (
    admitting,
    beginning,
    checks,
    clock,
    ends,
    firing,
    locking,
    plan_dates,
    reconstruct,
    registry,
    spreading,
    sticking,
)
from scheduler.model.checks import is_check
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import required, restores, run_waits
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.restores import Restore
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.commands import Adopt, Finish, RanAttempt
from scheduler.words.lifecycle import (
    ATTEMPT,
    ATTEMPT_ENDS,
    RUN,
    RUN_ENDS,
    START,
    TASK,
    TASK_ENDS,
    AttemptEvent,
    RunEvent,
    TaskEvent,
)
from scheduler.words.outcomes import Code, Outcome

ATTEMPTS_MAX = 100


def adopt(ctx: Context, command: Adopt) -> Outcome:
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    if restore is None or restore.number != command.restore:
        return refused(Code.SUPERSEDED, f"this cluster is at restore {ctx.state.restores}")
    if len(command.attempts) > ATTEMPTS_MAX:
        return refused(Code.LIMIT, f"at most {ATTEMPTS_MAX} attempts at once")
    if not command.name or registry.FORMER in command.name or not command.installation:
        return refused(Code.INVALID, "an agent has a name without # and an installation")
    agent = registry.row_of(ctx, command)
    if agent is None:
        return registry.no_room()
    for ran in command.attempts:
        if 0 < ran.attempt <= restore.attempt_base and 0 < ran.run <= restore.run_base:
            _adopt(ctx, restore, agent, ran)
    if command.last:
        _lose_untold(ctx, restore, agent, command)
        restores.reported(ctx.store, agent.id)
    return done(agent=agent.id)


def _adopt(ctx: Context, restore: Restore, agent: Agent, ran: RanAttempt) -> None:
    known = attempt_rows.get(ctx.store, ran.attempt)
    if known is not None:
        if known.agent == agent.id and known.live:
            _report(ctx, known, ran)
        return
    if is_check(ran.task):
        return  # no proof that its run began, and it is asked again
    run = run_rows.get(ctx.store, ran.run)
    if run is None:
        if ran.attempt <= restore.attempt_floor:
            return  # finished before the backup, and purged
        run = _new_run(ctx, ran, ran.run)
    elif (run.namespace, run.name) != (ran.namespace, ran.job):
        return
    if run.cause == Kind.ORPHAN:
        _add_to_orphan(ctx, agent, run, ran)
        return
    task = task_rows.find(ctx.store, run.id, ran.task, ran.member, ran.round)
    if task is None or run.state in RUN_ENDS or task.state in TASK_ENDS or task.state == "active":
        # It was decided here without this evidence: the run stays as it is, what ran is shown beside it.
        _add_to_orphan(ctx, agent, _new_run(ctx, ran, 0, decided=1), ran)
        return
    _join(ctx, agent, run, task, ran)


def _join(ctx: Context, agent: Agent, run: Run, task: Task, ran: RanAttempt) -> None:
    """The state has the run and its task waits: the old cluster started it."""
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    clock.count(ctx, run, graph, int(task.state in ("blocked", "held")))
    if task.member and task.queued_ms is None:
        spreading.adopt(ctx, task)
    task_rows.move(ctx.store, task, TaskEvent.ADOPTED, attempts=ran.number)
    attempt = _insert(ctx, agent, run, task.id, ran)
    if selectors.has_locks(task.selector):
        locking.take_over(ctx, run.id, task.id, task.selector, agent.id, alone=False)
        sticking.stick(ctx, task.selector, agent.id)
    waited = bool(run.waiting)
    if waited:
        run_waits.drop(ctx.store, run.id)
        required.drop(ctx.store, run.id)
        run = checks.end_all(ctx, run)
        run = run._replace(waiting=0, counts=admitting.count_in(ctx, run))
    if run.started_ms is None:
        beginning.begin_run(ctx, run, graph, ran.due_ms)
    _report(ctx, attempt, ran)
    now = run_rows.get(ctx.store, run.id)
    if waited and now is not None and now.finished_ms is None and not now.stopping:
        admitting.let_begin(ctx, now)  # what else of it began with this one


def _report(ctx: Context, attempt: Attempt, ran: RanAttempt) -> None:
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


def _insert(ctx: Context, agent: Agent, run: Run, task: int, ran: RanAttempt) -> Attempt:
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


# -- runs of their own ----------------------------------------------------------------------------


def _new_run(ctx: Context, ran: RanAttempt, run_id: int, *, decided: int = 0) -> Run:
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


def _add_to_orphan(ctx: Context, agent: Agent, run: Run, ran: RanAttempt) -> None:
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
    attempt = _insert(ctx, agent, run, task.id, ran)
    if task.selector and not ran.ended:
        locking.take_over(ctx, run.id, task.id, task.selector, agent.id, alone=True)
    if ran.ended:
        _report(ctx, attempt, ran)  # which rebuilds
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


def _lose_untold(ctx: Context, restore: Restore, agent: Agent, command: Adopt) -> None:
    """The journal was told to its end: what it did not name as running runs no more. Its last page names all
    that does."""
    running = frozenset(command.running)
    for attempt in attempt_rows.live_of_agent(ctx.store, agent.id):
        if attempt.id <= restore.attempt_base and attempt.fence is not None and attempt.id not in running:
            assert attempt.state not in ATTEMPT_ENDS
            ends.lose_soon(ctx, attempt, "gone: unknown to its agent after the restore")
