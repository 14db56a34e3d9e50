"""The rows that agents are known by, and the room for them: see `machine.agents`."""

from __future__ import annotations

from scheduler.machine.context import Context, refused
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables.agents import Agent
from scheduler.words.commands import Adopt
from scheduler.words.outcomes import Code, Outcome

FORMER = agent_rows.FORMER
ROWS_MAX = 20_000  #: former ones, too
EVER_MS = 1 << 62  #: after all stamps


def no_room() -> Outcome:
    return refused(
        Code.LIMIT,
        f"there are {ROWS_MAX} agents, the most that a cluster keeps: release the names of those that are "
        "gone (cronclave agents release NAME)",
    )


def is_room(ctx: Context) -> bool:
    if not agent_rows.are_so_many(ctx.store, ROWS_MAX):
        return True
    return agent_rows.drop_former(ctx.store, EVER_MS, 1) > 0


def row_of(ctx: Context, command: Adopt) -> Agent | None:
    """The row of an agent that tells its journal before it registers; made if there is none, but None where
    there is no room."""
    own = agent_rows.of_installation(ctx.store, command.installation)
    for agent in own:
        if agent.name in (command.name, f"{command.name}{FORMER}{agent.id}"):
            return agent
    if not is_room(ctx):
        return None
    ctx.state.last_agent += 1
    agent_id = ctx.state.last_agent
    taken = agent_rows.find(ctx.store, command.name) is not None
    agent = Agent(
        id=agent_id, name=f"{command.name}{FORMER}{agent_id}" if taken else command.name,
        installation=command.installation, session="", boot_id="", cloud_id="", zone=command.zone,
        pool=command.pool, labels="{}", kinds="[]", slots=0, version="", node="", busy=0, draining=0,
        drain_reason="", drain_until_ms=None, connected_ms=None, disconnected_ms=ctx.stamp_ms,
    )  # fmt: skip
    agent_rows.insert(ctx.store, agent)
    return agent
