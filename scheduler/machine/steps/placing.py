"""An attempt on an agent, and taken back from it while it has no grant.

An attempt holds its agent's slot, and what its task takes of resources, while it is live. `agents.busy`
counts exactly those. One that somebody outside is to complete has no slot, and keeps the resources."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import gates, holdings, selectors, users
from scheduler.machine.rules.gates import READY, PlaceView, Verdict
from scheduler.machine.steps import locking, pausing, restoring, sticking
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.lifecycle import ATTEMPT, AWAITING, START, AttemptEvent


def is_for(ctx: Context, agent: int, selector: str) -> bool:
    """Whether the agent may take it, connected or not."""
    row, wanted = agent_rows.get(ctx.store, agent), selectors.parse(selector)
    return row is not None and _is_meant(row, wanted) and selectors.offers(wanted, row.kinds)


def may_take(ctx: Context, run: Run, agent: int, selector: str) -> bool:
    """Whether a queued task of this run may be given to that agent. Which comes first by another order than
    the load the planner alone looks for (`goes_on`)."""
    if agent == ctx.reporter and selectors.parse(selector).order:
        return False
    return judge(ctx, run, agent, selector) is READY


def judge(ctx: Context, run: Run, agent: int, selector: str) -> Verdict:
    row, wanted = agent_rows.get(ctx.store, agent), holdings.where(ctx.store, selector)
    takes = row is not None and row.node != "" and not row.draining and row.busy < row.slots
    free = int(row is not None and takes and _is_meant(row, wanted))
    if free and wanted.agent_max:
        free = int(not holdings.is_full(ctx.store, wanted, agent))
    offered = row is None or selectors.offers(wanted, row.kinds)
    paused = pausing.keeps_back(ctx, run.namespace)
    allowed = not wanted.user or users.allows(ctx.store, wanted.namespace, wanted.user)
    lacks = locking.lacking(ctx, run.id, selector) if wanted.locks else ""
    held_through = restoring.held_through(ctx)
    # Without a restore all runs are alike.
    number = run.id if held_through else 1
    return gates.judge_place(PlaceView(number, None, held_through, free, offered, paused, allowed, lacks))


def _is_meant(row: Agent, wanted: selectors.Selector) -> bool:
    return selectors.matches(
        wanted, agent=row.id, pool=row.pool, labels=row.labels, zone=row.zone, name=row.name
    )


def place(
    ctx: Context, *, task: int, run: int, number: int, agent: int, due_ms: int, attempt: int = 0
) -> int:
    """A new attempt on an agent that can take it; returns its id. The task's row is the caller's. `attempt`:
    the id that the agent knows it by already; 0: a new one."""
    state = ctx.state
    if not attempt:
        state.last_attempt += 1
        attempt = state.last_attempt
    attempt_rows.insert(
        ctx.store,
        Attempt(
            id=attempt, task=task, run=run, number=number, agent=agent,
            state=ATTEMPT.after(START, AttemptEvent.PLACED), live=1, unreachable=0,
            assigned_ms=state.stamp_ms, due_ms=due_ms, claim="", session="", fence=None, granted_ms=None,
            started_ms=None, finished_ms=None, exit_code=None, signal=None, reason="", tail=b"",
            output_bytes=None, late="",
        ),
    )  # fmt: skip
    agent_rows.occupy(ctx.store, agent)
    ctx.emit(e.AttemptAssigned(attempt, task, run, agent, due_ms))
    return attempt


def goes_on(ctx: Context) -> int:
    """The agent that reported the end which the command tells of, where what follows may go to it at once: no
    task waits in any queue, so nobody is passed by, and no agent of its pool is less loaded, so the planner
    would send it there too. 0: none; who looks at very many agents is the planner alone."""
    row = agent_rows.get(ctx.store, ctx.reporter) if ctx.reporter else None
    if row is None or task_rows.any_queued(ctx.store):
        return 0
    if not row.busy:
        return row.id
    few = agent_rows.few_connected(ctx.store)
    if few is None:
        return 0
    for each in few:
        other = agent_rows.get(ctx.store, each)
        if other is None or other.pool != row.pool or other.draining:
            continue
        if other.busy * row.slots < row.busy * other.slots:
            return 0
    return row.id


def revoke(ctx: Context, attempt: Attempt, reason: str) -> None:
    """Take back an attempt without a grant; what becomes of its task is the caller's."""
    state = attempt_rows.move(
        ctx.store, attempt, AttemptEvent.TAKEN_BACK, finished_ms=ctx.stamp_ms,
        reason=reason, output_bytes=0,
    )  # fmt: skip
    task = free(ctx, attempt)
    if ctx.state.locks and task is not None:
        locking.give_back_unless_begun(ctx, attempt.run, task.selector)
    ctx.emit(e.AttemptEnded(attempt.id, attempt.task, attempt.run, attempt.agent, state, None))


def free(ctx: Context, attempt: Attempt) -> Task | None:
    """It is over: the slot of its agent, which one that awaits its completion has given back before, and what
    its task took of resources. Returns that."""
    if attempt.state != AWAITING:
        agent_rows.release(ctx.store, attempt.agent)
    task = task_rows.get(ctx.store, attempt.task)
    if task is not None and selectors.has_locks(task.selector):
        locking.give_back(ctx, attempt.run, task.id)
        sticking.loosen(ctx, task.selector)
    return task
