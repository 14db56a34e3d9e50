"""What the latest restore says of the time before it."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules.gates import hold
from scheduler.store.tables import restores
from scheduler.words import reasons


def restored_ms(ctx: Context) -> int:
    """When the first leader after the latest restore took office."""
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    return restore.taken_ms or 0 if restore is not None else 0


def missed(ctx: Context, due_ms: int | None) -> str:
    """Why what came by then is missed: nobody knows what the cluster before made of it. Empty: it is not, or
    nobody can say when it came."""
    restore = restores.latest(ctx.store) if ctx.state.restores and due_ms is not None else None
    if due_ms is None or restore is None or restore.catchup or due_ms > (restore.taken_ms or 0):
        return ""
    return reasons.RESTORED


def is_doubtful(ctx: Context, run: int) -> bool:
    """Whether the cluster before may have seen the end of this run, which agents tell of now."""
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    return restore is not None and not restore.catchup and run <= hold.held_through(restore)


def is_holding(ctx: Context) -> bool:
    """Whether agents still have time to tell what ran before the latest restore."""
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    return restore is not None and restore.phase == restores.HOLDING


def held_through(ctx: Context) -> int:
    """Tasks of runs with ids up to here are not placed now."""
    return hold.held_through(restores.latest(ctx.store)) if ctx.state.restores else 0


def take_over(ctx: Context) -> None:
    """A leader takes office in a restored state."""
    restore = restores.latest(ctx.store)
    if restore is not None and restore.taken_ms is None:
        restores.take(
            ctx.store, restore.number, taken_ms=ctx.stamp_ms, until_ms=ctx.stamp_ms + restore.hold_ms
        )
