"""What the latest restore says of the time before it."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules.gates import hold
from scheduler.store.tables import restores


def restored_ms(ctx: Context) -> int:
    """When the first leader after the latest restore took office."""
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    return restore.taken_ms or 0 if restore is not None else 0


def misses(ctx: Context, due_ms: int) -> bool:
    """Whether what came by then is missed: nobody knows what the cluster before made of it."""
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    return restore is not None and not restore.catchup and due_ms <= (restore.taken_ms or 0)


def is_doubtful(ctx: Context, run: int) -> bool:
    """Whether the cluster before may have seen the end of this run, which agents tell of now."""
    restore = restores.latest(ctx.store) if ctx.state.restores else None
    return restore is not None and not restore.catchup and run <= hold.held_through(restore)


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
