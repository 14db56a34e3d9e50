"""Whether a pause of everything, or of a namespace, is in the way. Nothing is read while none can be."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.store.tables import pauses


def keeps_back(ctx: Context, namespace: str) -> bool:
    """Whether nothing new starts in this namespace."""
    return ctx.state.paused_through_ms > ctx.stamp_ms and pauses.stands(ctx.store, namespace, ctx.stamp_ms)


def skips(ctx: Context, namespace: str, due_ms: int) -> bool:
    """Whether a tick that is due then is skipped."""
    if ctx.state.paused_through_ms <= due_ms:
        return False
    return any(pause.covers(due_ms, ctx.stamp_ms) for pause in pauses.of(ctx.store, namespace))
