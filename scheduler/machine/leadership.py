"""Leadership in the state: the epoch that every planner command is fenced by."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.steps import restoring
from scheduler.store.tables import leaderships
from scheduler.store.tables.leaderships import Leadership
from scheduler.words import events as e
from scheduler.words.commands import Barrier, Lead
from scheduler.words.outcomes import Code, Outcome


def lead(ctx: Context, command: Lead) -> Outcome:
    """Raise the epoch. A rival of an older term comes too late; the same leader's second Lead changes
    nothing.
    """
    state = ctx.state
    if command.raft_term < state.leader_term:
        return refused(
            Code.STALE_EPOCH, f"term {command.raft_term}, epoch {state.epoch} is of term {state.leader_term}"
        )
    if command.raft_term == state.leader_term and command.node == state.leader and state.epoch > 0:
        return done(epoch=state.epoch)
    state.epoch += 1
    state.leader = command.node
    state.leader_term = command.raft_term
    if not state.tzdata:
        state.tzdata = command.tzdata
    if state.restores:
        restoring.take_over(ctx)
    leaderships.put(
        ctx.store,
        Leadership(
            state.epoch, command.node, command.zone, command.raft_term, state.stamp_ms, state.before_ms,
            _vacant_ms(ctx, command.silent_ms),
        ),
    )  # fmt: skip
    ctx.emit(e.Led(state.epoch, command.node, command.zone))
    return done(epoch=state.epoch)


def _vacant_ms(ctx: Context, silent_ms: int | None) -> int:
    """Since when nobody could decide. That nothing was decided says little: mostly nothing was due."""
    state = ctx.state
    if silent_ms is None or not state.before_ms:
        return state.before_ms
    return max(state.before_ms, state.stamp_ms - max(0, silent_ms))


def barrier(ctx: Context, command: Barrier) -> Outcome:
    return OK
