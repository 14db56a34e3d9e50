"""A host has booted: noted until each trigger that listens to its pool has fired (`machine.startups`)."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.steps import restoring
from scheduler.store.tables import boots
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.boots import Boot
from scheduler.words import causes, reasons

LOOK_AGAIN_MS = 1_000


def note(ctx: Context, agent: Agent, known: Agent | None) -> None:
    """The agent has registered. `known`: its row before."""
    if not agent.boot_id or (known is not None and known.boot_id == agent.boot_id):
        return
    restored_ms = restoring.restored_ms(ctx)
    may_be_known = known is not None and restored_ms > 0 and (known.connected_ms or 0) < restored_ms
    missed = reasons.RESTORED if may_be_known else ""
    wait(ctx, Boot(agent.id, agent.boot_id, agent.pool, ctx.stamp_ms, missed, -1, 0, ctx.stamp_ms))


def listening(ctx: Context, boot: Boot, limit: int) -> list[trigger_rows.Listening]:
    """The next triggers that the boot fires: those that listened when it was seen."""
    place = (boot.offset_ms, boot.trigger)
    return trigger_rows.listening(ctx.store, causes.booted(boot.pool), place, boot.seen_ms, limit)


def wait(ctx: Context, boot: Boot) -> None:
    """Until the next of its triggers fires; it is forgotten when there is none, nor may come any of a staged
    apply that goes live."""
    following = listening(ctx, boot, 1)
    if following:
        boots.put(ctx.store, boot._replace(at_ms=boot.seen_ms + following[0].offset_ms))
    elif ctx.state.stage:
        boots.put(ctx.store, boot._replace(at_ms=ctx.stamp_ms + LOOK_AGAIN_MS))
    elif boots.get(ctx.store, boot.agent) is not None:
        boots.drop(ctx.store, boot.agent)
