"""Ticks that an agent has in advance: how one makes its run, and how one is given back.

Rules of this file (docs/decisions/0128-reserved-ticks.md):

1. A reserved tick is the agent's: it ends by a run on that agent, or after the agent gave it back. No pause,
   edit, overlap or clock of a node decides it before.
2. Its run has the attempt that was reserved, granted from the first: whatever comes, the agent's journal says
   whether it started, as of every grant. Begun by the agent alone, its fence is the index of the Reserve.
3. Given back, the last ticks of a live trigger go back into its sequence. Of others each is due by itself;
   what is long overdue ends as `catchup` says of a tick that a newer one followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.machine.context import Context
from scheduler.machine.steps import beginning, decisions, firing, placing
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import changed_ticks, reservations
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.changed_ticks import GO, ChangedTick
from scheduler.store.tables.reservations import BY_ITSELF, Reservation
from scheduler.words import events as e
from scheduler.words.causes import Cause, Kind
from scheduler.words.lifecycle import AttemptEvent, TaskEvent
from scheduler.words.reasons import OVERLAP, WINDOW

GIVEN_BACK = "given back by its agent"
AT_ONCE_MAX = 100  #: given back by one command


class Pinned(NamedTuple):
    """The job of a reserved tick, at the revision that its agent has."""

    job: int
    namespace: str
    name: str
    revision: int
    active_runs: int


def cause_of(row: Reservation) -> Cause:
    return Cause(Kind.TICK, "", row.trigger, row.at_ms)


def pinned(ctx: Context, row: Reservation) -> Pinned:
    job = job_rows.standing(ctx.store, row.job)
    if job is None:
        return Pinned(row.job, *job_rows.name_of_deleted(ctx.store, row.job), row.revision, 0)
    return Pinned(row.job, job.namespace, job.name, row.revision, job.active_runs)


def begin(ctx: Context, row: Reservation, fence: int, began_ms: int | None = None) -> Attempt:
    """It makes its run, with its attempt granted to the agent that has it. No gate is asked. `began_ms`: when
    its agent says that it started, alone."""
    reservations.drop(ctx.store, row.attempt)
    firing.fire(
        ctx, cause_of(row), pinned(ctx, row), due_ms=row.due_ms, bound=row.agent, plan_day=row.plan_day,
        any_time=True, on_place=True, begun=row.run,
    )  # fmt: skip
    run = run_rows.get(ctx.store, row.run)
    assert run is not None
    task = task_rows.get(ctx.store, run.first_task)
    assert task is not None
    task_rows.move(ctx.store, task, TaskEvent.PLACED, attempts=1)
    placing.place(
        ctx, task=task.id, run=run.id, number=1, agent=row.agent, due_ms=row.due_ms, attempt=row.attempt
    )
    placed = attempt_rows.get(ctx.store, row.attempt)
    assert placed is not None
    attempt_rows.move(
        ctx.store, placed, AttemptEvent.GRANTED, claim=BY_ITSELF, session="", fence=fence,
        granted_ms=ctx.stamp_ms,
    )  # fmt: skip
    ctx.emit(e.AttemptGranted(row.attempt, run.id, row.agent, fence))
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    beginning.begin_run(ctx, run, graph, row.due_ms, began_ms)
    granted = attempt_rows.get(ctx.store, row.attempt)
    assert granted is not None
    return granted


def begun(ctx: Context, attempt: int, agent: int, began_ms: int | None = None) -> None:
    """Its agent says of this attempt that it started, or how it ended: where it was reserved, it has a run
    now."""
    row = reservations.get(ctx.store, attempt)
    if row is not None and row.agent == agent:
        begin(ctx, row, row.fence, began_ms)


def ask_back(ctx: Context, row: Reservation, reason: str) -> None:
    if not row.asked_back:
        reservations.ask_back(ctx.store, row.attempt)
        tell_asked(ctx, row.job, row.agent, 1, reason)


def tell_asked(ctx: Context, job: int, agent: int, ticks: int, reason: str) -> None:
    row = job_rows.standing(ctx.store, job)
    named = (row.namespace, row.name) if row is not None else job_rows.name_of_deleted(ctx.store, job)
    ctx.emit(e.ReservedAskedBack(job, *named, agent, ticks, reason))


def given_back(ctx: Context, rows: Sequence[Reservation], reason: str, behind: int = 0) -> None:
    """None of them ever starts. `reason` OVERLAP: since this attempt was in the way."""
    for row in rows:
        reservations.drop(ctx.store, row.attempt)
        of = pinned(ctx, row)
        ctx.emit(
            e.ReservedGivenBack(
                row.attempt, row.job, of.namespace, of.name, row.trigger, row.at_ms, row.agent, reason
            )
        )  # fmt: skip
    if reason == OVERLAP:
        blocking = attempt_rows.get(ctx.store, behind)
        for row in rows:
            _decide(ctx, row, "skipped", OVERLAP, 0 if blocking is None else blocking.run)
        return
    for trigger in dict.fromkeys(row.trigger for row in rows):
        _into_sequence(ctx, trigger, [row for row in rows if row.trigger == trigger])


def all_back(ctx: Context, agent: int | None) -> bool:
    """After a restore: what its agents have not told to have started. False: there is more."""
    rows = reservations.last_ones(ctx.store, agent, AT_ONCE_MAX + 1)
    given_back(ctx, rows[:AT_ONCE_MAX], "restored")
    return len(rows) <= AT_ONCE_MAX


def _into_sequence(ctx: Context, trigger: int, rows: list[Reservation]) -> None:
    era = trigger_rows.get(ctx.store, trigger)
    decided_ms = trigger_rows.last_decided(ctx.store, trigger) or 0
    is_live = era is not None and not era.closed
    last = [row for row in rows if is_live and row.at_ms > decided_ms]
    if last:
        first = min(last, key=lambda row: row.at_ms)
        trigger_rows.move(ctx.store, trigger, next_due_ms=first.at_ms, fire_ms=first.due_ms)
    for row in rows:
        if row not in last:
            _by_itself(ctx, row)


def _by_itself(ctx: Context, row: Reservation) -> None:
    of = pinned(ctx, row)
    job = ctx.graphs.outline(row.job, of.namespace, of.name, row.revision)
    late = row.due_ms + job.catchup_grace_ms < ctx.stamp_ms
    if late and job.catchup_mode != "all" and job_rows.exists(ctx.store, row.job):
        into_ms = reservations.next_of(ctx.store, row.trigger, row.at_ms)
        if into_ms is None:
            into_ms = trigger_rows.last_decided(ctx.store, row.trigger)
        if job.catchup_mode == "latest" and into_ms is not None and into_ms > row.at_ms:
            _decide(ctx, row, "coalesced", "", into_ms=into_ms)
        else:
            _decide(ctx, row, "missed", WINDOW)
        return
    era = trigger_rows.get(ctx.store, row.trigger)
    changed_ticks.put(
        ctx.store,
        ChangedTick(
            row.job, "" if era is None else era.key, row.at_ms, GO, None, "", 1, row.plan_day,
            max(row.due_ms, ctx.stamp_ms), ctx.stamp_ms, GIVEN_BACK, "",
        ),
    )  # fmt: skip
    ctx.state.changed_ticks = 1


def _decide(
    ctx: Context, row: Reservation, outcome: str, reason: str, run: int = 0, into_ms: int | None = None
) -> None:
    of = pinned(ctx, row)
    decisions.decide(
        ctx, cause_of(row), job=row.job, namespace=of.namespace, name=of.name, first_ms=row.at_ms,
        outcome=outcome, reason=reason, run=run, into_ms=into_ms,
    )  # fmt: skip


def can_take(ctx: Context, row: Reservation) -> bool:
    """Whether its agent can take it now, connected as the installation that has it."""
    agent = agent_rows.get(ctx.store, row.agent)
    return (
        agent is not None
        and agent.installation == row.installation
        and agent.node != ""
        and not agent.draining
        and agent.busy < agent.slots
    )
