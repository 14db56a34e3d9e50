"""Ticks are reserved for an agent in advance (`policies.autonomy`), fired, asked back, given up.

Rules of this file:

1. A Reserve is the compare-and-set of its trigger's next instant, as a Fire is: no tick is reserved twice,
   nor fired and reserved. Its trigger goes on behind it.
2. All that is reserved of a job at a time is one agent's, of the job's newest revision.
3. Where its agent is connected a tick meets the gates at its instant, as any does. Those that would end it
   have it asked back first: it ends once its agent said that it has not started it (`steps.reserving`).
4. While its agent is away a tick stays pending, until that is back, or a person says that it never will be.
"""

from __future__ import annotations

from scheduler.machine.context import AHEAD_MS, Context, done, refused
from scheduler.machine.rules import selectors
from scheduler.machine.rules.gates import READY
from scheduler.machine.steps import (
    arriving,
    ends,
    firing,
    pausing,
    plan_dates,
    redating,
    reserving,
    restoring,
    setting_aside,
)
from scheduler.machine.steps.reserving import AT_ONCE_MAX
from scheduler.protocol import RESERVES
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import reservations
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.reservations import BY_ITSELF, RESERVED_MAX, Reservation
from scheduler.words import events as e
from scheduler.words.commands import AskBack, FireReserved, GiveBack, GiveUpReserved, Reserve, Unreserve
from scheduler.words.outcomes import Code, Outcome
from scheduler.words.reasons import OVERLAP

HELD_MS = 60_000  #: after a person asked for all of a job, none of it is reserved
LATE_MS = 60_000  #: what is due for longer its agent has to tell of


def reserve(ctx: Context, command: Reserve) -> Outcome:
    trigger = trigger_rows.firing(ctx.store, command.trigger)
    at_ms = command.expected_due_ms
    if trigger is None or trigger.next_due_ms != at_ms:
        return refused(Code.STALE_DUE, f"trigger {command.trigger} is not at {at_ms}")
    due_ms = at_ms + trigger.jitter_ms
    next_ms = command.next_due_ms
    if at_ms <= trigger.from_ms or trigger.until_ms is not None or (next_ms is not None and next_ms <= at_ms):
        return refused(Code.INVALID, "the instant is not of a live era, or the next one does not follow it")
    if stale := redating.refuse_stale_tick(ctx, trigger.id, at_ms):
        return stale
    policy = reservations.autonomy(ctx.store, trigger.job)
    if policy is None or policy.held_ms > ctx.stamp_ms or trigger.state != "active":
        return refused(Code.SUPERSEDED, "nothing of the job is to be reserved now")
    if not ctx.stamp_ms < due_ms <= ctx.stamp_ms + policy.window_ms + AHEAD_MS:
        return refused(Code.STALE_DUE, "the instant is over, or beyond the window")
    assert trigger.namespace is not None
    if pausing.keeps_back(ctx, trigger.namespace) or restoring.held_through(ctx):
        return refused(Code.SUPERSEDED, "nothing starts now")
    if setting_aside.of_tick(ctx, trigger, at_ms) is not None:
        return refused(Code.SUPERSEDED, "a person said something of this tick")
    agent = agent_rows.get(ctx.store, command.agent)
    if agent is None or not agent.node or agent.draining:
        return refused(Code.NOT_CONNECTED, f"agent {command.agent} takes nothing now")
    if RESERVES not in selectors.parse_kinds(agent.kinds):
        return refused(Code.SUPERSEDED, f"agent {command.agent} does not know what a reserved tick is")
    others = reservations.of_job(ctx.store, trigger.job, 1)
    if others and (others[0].agent, others[0].installation) != (agent.id, agent.installation):
        return refused(Code.SUPERSEDED, "another agent has ticks of the job")
    if others and (others[0].revision != trigger.revision or others[0].asked_back):
        return refused(Code.SUPERSEDED, "what is reserved of the job is asked back")
    if reservations.count_of(ctx.store, trigger.job) >= RESERVED_MAX:
        return refused(Code.LIMIT, f"{RESERVED_MAX} ticks of the job are reserved, the most")
    ctx.state.last_attempt += 1
    ctx.state.last_run += 1
    nominal_ms = at_ms if command.nominal_ms is None else command.nominal_ms
    row = Reservation(
        ctx.state.last_attempt, ctx.state.last_run, trigger.job, trigger.id, trigger.revision, at_ms, due_ms,
        plan_dates.of(ctx, trigger.namespace, nominal_ms), agent.id, agent.installation, ctx.state.idx, 0,
    )  # fmt: skip
    reservations.insert(ctx.store, row)
    fire_ms = None if next_ms is None else next_ms + trigger.jitter_ms
    trigger_rows.move(ctx.store, trigger.id, next_due_ms=next_ms, fire_ms=fire_ms)
    ctx.emit(
        e.TickReserved(
            row.attempt, row.job, trigger.namespace, trigger.name, row.trigger, at_ms, due_ms, agent.id
        )
    )  # fmt: skip
    return done(attempt=row.attempt, run=row.run)


def fire_reserved(ctx: Context, command: FireReserved) -> Outcome:
    row = reservations.get(ctx.store, command.attempt)
    if row is None or row.asked_back or row.due_ms > ctx.stamp_ms + AHEAD_MS:
        return refused(Code.STALE_DUE, f"no reserved tick is due as attempt {command.attempt}")
    if reason := _why_not(ctx, row):
        reserving.ask_back(ctx, row, reason)
        return done(asked_back=True)
    attempt = reserving.begin(ctx, row, ctx.state.idx)
    return done(run=attempt.run)


def _why_not(ctx: Context, row: Reservation) -> str:
    """Why it does not start now as a reserved one; empty: it does."""
    job, trigger = job_rows.standing(ctx.store, row.job), trigger_rows.firing(ctx.store, row.trigger)
    if job is None or trigger is None or job.revision != row.revision:
        return "the job was edited"
    if row.due_ms + LATE_MS < ctx.stamp_ms:
        return "it is long overdue"
    if not reserving.can_take(ctx, row):
        return "its agent takes nothing now"
    if restoring.held_through(ctx):
        return "a restore goes on"
    verdict = arriving.stopped(ctx, trigger._replace(closed=""), row.due_ms)
    if verdict is READY:
        verdict = firing.would(
            ctx, reserving.cause_of(row), job, due_ms=row.due_ms, plan_day=row.plan_day
        )
    if verdict is READY and pausing.keeps_back(ctx, job.namespace):
        return "its namespace is paused"
    return "" if verdict is READY else "a gate is closed"


def ask_back(ctx: Context, command: AskBack) -> Outcome:
    ticks = reservations.ask_all_back(ctx.store, command.job)
    if ticks:
        reserving.tell_asked(ctx, command.job, command.agent, ticks, "the job or its agent has changed")
    return done(ticks=ticks)


def give_back(ctx: Context, command: GiveBack) -> Outcome:
    if len(command.attempts) > AT_ONCE_MAX or command.reason not in ("", OVERLAP):
        return refused(Code.INVALID, f"{AT_ONCE_MAX} attempts at most, for a reason that is known")
    rows = []
    for attempt in command.attempts:
        row = reservations.get(ctx.store, attempt)
        if row is not None and row.agent == command.agent:
            rows.append(row)
            continue
        known = attempt_rows.get(ctx.store, attempt)
        if known is not None and known.agent == command.agent and known.claim == BY_ITSELF and known.live:
            ends.unstarted(ctx, known, reserving.GIVEN_BACK)
    reserving.given_back(ctx, rows, command.reason, command.behind)
    return done(ticks=len(rows))


def unreserve(ctx: Context, command: Unreserve) -> Outcome:
    job = job_rows.standing_named(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    reservations.hold(ctx.store, job.id, ctx.stamp_ms + HELD_MS)
    first = reservations.of_job(ctx.store, job.id, 1)
    ticks = reservations.ask_all_back(ctx.store, job.id)
    if ticks:
        reserving.tell_asked(ctx, job.id, first[0].agent, ticks, f"{command.actor.name} asked for it")
    left = reservations.count_of(ctx.store, job.id)
    ctx.changed("job", job.namespace, job.name, f"{left} ticks reserved", "asked back")
    return done(reserved=left)


def give_up_reserved(ctx: Context, command: GiveUpReserved) -> Outcome:
    job = job_rows.standing_named(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    rows = reservations.of_job(ctx.store, job.id, AT_ONCE_MAX + 1)
    if not rows:
        return refused(Code.CONFLICT, "no agent has ticks of the job")
    agent = agent_rows.get(ctx.store, rows[0].agent)
    if agent is not None and agent.node and agent.installation == rows[0].installation:
        return refused(Code.CONFLICT, f"agent {agent.name} is connected: it tells itself what it started")
    reservations.hold(ctx.store, job.id, ctx.stamp_ms + HELD_MS)
    reservations.ask_all_back(ctx.store, job.id)
    reason = f"{command.actor.name or 'a person'} gave up the agent that had it: whether it ran is not known"
    lost = [row for row in rows[:AT_ONCE_MAX] if row.due_ms <= ctx.stamp_ms]
    for row in lost:
        ends.lose(ctx, reserving.begin(ctx, row, row.fence), reason)
    coming = []
    if len(rows) <= AT_ONCE_MAX:  # of more these first: what is to come has time
        coming = [row for row in rows if row.due_ms > ctx.stamp_ms]
    reserving.given_back(ctx, coming, "given up")
    ctx.changed("job", job.namespace, job.name, f"{len(rows)} ticks reserved", "given up")
    return done(lost=len(lost), given_back=len(coming), left=reservations.count_of(ctx.store, job.id))


