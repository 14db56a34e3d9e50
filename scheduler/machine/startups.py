"""Startups: what is to run each time that a host has booted.

Rules of this file:

1. A boot is known by the agent's installation and the host's boot id. It is noted when an agent registers
   with another boot id than before (`steps.booting`), and makes one run of each trigger that listens to its
   pool and was there by then: the cause is unique, however often the agent comes back.
2. A trigger fires once the host has been up for its delay. One that booted anew before that begins anew.
3. The run is bound to the agent: tasks that it may take go there and nowhere else. Hosts do not stand in each
   other's way, and on one host nothing of before the boot runs any more: `overlap` is not asked.
4. In a restored state the first registration of an agent that was known may tell of a boot that the cluster
   before had seen: nobody can say, so it is missed(restored).
5. Bounded: so many triggers a command; the planner asks again while something is left.
"""

from __future__ import annotations

from scheduler.machine.context import ROW, Context, done, refused
from scheduler.machine.steps import arriving, booting
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import boots
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.boots import Boot
from scheduler.words.causes import Cause, Kind
from scheduler.words.commands import FireStartups
from scheduler.words.outcomes import Code, Outcome

FIRED_AT_ONCE_MAX = 20


def fire_startups(ctx: Context, command: FireStartups) -> Outcome:
    boot = boots.get(ctx.store, command.agent)
    seen = (command.boot_id, command.after)
    if boot is None or (boot.boot_id, boot.trigger) != seen or boot.at_ms > ctx.stamp_ms:
        return refused(Code.STALE_DUE, f"agent {command.agent} has no startup at this place")
    agent = agent_rows.get(ctx.store, boot.agent)
    if agent is None:  # forgotten since
        boots.drop(ctx.store, boot.agent)
        return done(fired=0)
    fired = 0
    for listening in booting.listening(ctx, boot, FIRED_AT_ONCE_MAX):
        due_ms = boot.seen_ms + listening.offset_ms
        if due_ms > ctx.stamp_ms or ctx.room <= 0:
            break
        ctx.room -= ROW
        _fire(ctx, boot, agent, listening, due_ms)
        boot = boot._replace(offset_ms=listening.offset_ms, trigger=listening.id)
        fired += 1
    booting.wait(ctx, boot)
    return done(fired=fired)


def _fire(ctx: Context, boot: Boot, agent: Agent, listening: trigger_rows.Listening, due_ms: int) -> None:
    trigger = trigger_rows.firing(ctx.store, listening.id)
    assert trigger is not None
    cause = Cause(Kind.STARTUP, f"{listening.key}/{agent.installation}/{boot.boot_id}", trigger.id)
    arriving.fire(
        ctx, cause, trigger, due_ms=due_ms, missed=boot.missed, agent=agent.id, bound=agent.id
    )
