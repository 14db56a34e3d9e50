"""Agents: connected, disconnected, drained, and what their word proves about attempts.

Rules of this file (docs/architecture.md, "Rules without exception", 6 and 7):

1. An installation keeps its row. Its sessions are ordered (their text sorts in the order of their starts): a
   newer one fences the older one, and only the newest may connect or claim. So what an older process said
   through a node that was frozen, and thaws, neither fences the living one nor judges its attempts.
2. A name is taken while another installation under it is connected. While that is disconnected a new
   installation gets the name; the former one's row keeps its attempts under the name `name#id`, and gets the
   name back when it is free.
3. Proof of death: the agent says `gone` (or `unstarted`: it never lived); or its host booted anew; or a new
   process of the same installation does not know the attempt (its journal is synced before a claim is acted
   on). The same session coming back proves nothing about a granted attempt that it does not list: it may be
   the grant that got lost, and its claim is sent again. Nor is what it says of an attempt that was granted
   to itself: `gone` and `unstarted` are said of claims of earlier sessions, so that word is older than the
   grant, and came late by a node that the agent has left.
4. Attempts without a grant are left alone: the front pushes them again.
5. No more than ROWS_MAX rows: whoever may use any name would fill the state. Where it is full, a former row
   that nothing is bound to makes room, the oldest first; without one a new agent is refused. One that has a
   row never is.
6. A person may release a name: the installation that has it is disconnected and never comes back under it,
   so that another may. That proves nothing about what it runs: its attempts stay its own, and end as those of
   any agent that is gone: by their leases, or by a person's word. So nothing runs twice by it.
7. From a person's drain on no attempt of the agent gets a grant, and the planner takes back those without one
   (`plan.passes.drains`): they go elsewhere. What has its grant comes to its end. The drain is the
   installation's: it lasts over sessions and disconnections, until a person ends it.
"""

from __future__ import annotations

import json

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.steps import booting, ends, registry, reserving, spreading
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import reservations, returns
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.reservations import BY_ITSELF
from scheduler.words import events as e
from scheduler.words.commands import (
    ConnectAgent,
    DisconnectAgent,
    DrainAgent,
    EndDrain,
    LetMembersGo,
    LoseNode,
    ReleaseAgent,
    ResumeAgent,
)
from scheduler.words.outcomes import Code, Outcome

SLOTS_MAX = 100_000
RELEASED = "released"
"""In place of the session of an installation that a person took the name from."""
REASON_LETTERS_MAX = 500
AGENTS_MAX = 500  #: disconnected by one command
RESERVED_LOOKED_MAX = 10_000  #: ticks that one agent has in advance


def connect(ctx: Context, command: ConnectAgent) -> Outcome:
    labels = _labels(command.labels)
    if labels is None:
        return refused(Code.INVALID, "labels are not a JSON object of strings")
    named = command.name and registry.FORMER not in command.name
    if not named or not command.node or not 0 <= command.slots <= SLOTS_MAX:
        return refused(Code.INVALID, "an agent needs a name without #, a node and a sensible number of slots")
    holder = agent_rows.find(ctx.store, command.name)
    own = holder is not None and holder.installation == command.installation
    known = holder if own else _former(ctx, command)
    if known is not None and known.session == RELEASED:
        return refused(
            Code.FENCED,
            f"a person released the name {command.name} from this installation; with an empty data directory "
            "this host comes as a new one",
        )
    if known is not None and command.session < known.session:
        return refused(Code.FENCED, f"a newer session of {command.name} exists")
    if holder is not None and not own and holder.node:
        return refused(Code.NAME_TAKEN, f"another installation is connected as {command.name}")
    if known is None and not registry.is_room(ctx):
        return registry.no_room()
    if holder is not None and not own:
        _step_aside(ctx, holder)
    drain: tuple[int, str, int | None] = 0, "", None
    if known is None:
        ctx.state.last_agent += 1
        agent_id, busy = ctx.state.last_agent, 0
    else:
        agent_id, busy = known.id, known.busy
        drain = known.draining, known.drain_reason, known.drain_until_ms
    agent = Agent(
        id=agent_id, name=command.name, installation=command.installation, session=command.session,
        boot_id=command.boot_id, cloud_id=command.cloud_id, zone=command.zone, pool=command.pool,
        labels=labels, kinds=_kinds(command.kinds), slots=command.slots, version=command.version,
        node=command.node, busy=busy, draining=drain[0], drain_reason=drain[1], drain_until_ms=drain[2],
        connected_ms=_behind(ctx, known and known.disconnected_ms), disconnected_ms=None,
    )  # fmt: skip
    if known is None:
        agent_rows.insert(ctx.store, agent)
    else:
        agent_rows.replace(ctx.store, agent)
    ctx.emit(e.AgentConnected(agent.id, agent.name, agent.zone, agent.pool, agent.node, agent.session))
    booting.note(ctx, agent, known)
    if known is not None:
        _judge_attempts(ctx, command, known)
        spreading.connected(ctx, agent)
    return done(agent=agent.id)


def let_members_go(ctx: Context, command: LetMembersGo) -> Outcome:
    """The next of those that waited for an agent that came back."""
    known = returns.get(ctx.store, command.agent)
    if known is None or known.after != command.after:
        return refused(Code.SUPERSEDED, f"agent {command.agent} has not come back for these")
    agent = agent_rows.get(ctx.store, command.agent)
    if agent is None or not agent.node:  # it is told anew as it comes again
        returns.drop(ctx.store, command.agent)
        return OK
    spreading.connected(ctx, agent, command.after)
    return OK


def _kinds(kinds: tuple[str, ...]) -> str:
    return json.dumps(sorted(set(kinds)), separators=(",", ":"))


def _labels(labels: bytes) -> str | None:
    try:
        parsed = json.loads(labels or b"{}")
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) or not all(isinstance(value, str) for value in parsed.values()):
        return None
    return json.dumps(parsed, sort_keys=True, separators=(",", ":"))


def _former(ctx: Context, command: ConnectAgent) -> Agent | None:
    """The row that this installation had under this name before another took it."""
    for agent in agent_rows.former(ctx.store, command.installation, command.name, registry.FORMER):
        if agent.name == f"{command.name}{registry.FORMER}{agent.id}":
            return agent
    return None


def _judge_attempts(ctx: Context, command: ConnectAgent, known: Agent) -> None:
    held = dict(command.held)
    _judge_reserved(ctx, held, known)
    same_session = known.session == command.session
    booted_anew = known.boot_id != command.boot_id
    for attempt in attempt_rows.live_of_agent(ctx.store, known.id):
        if attempt.fence is None or (attempt.claim == BY_ITSELF and attempt.id not in held):
            continue
        word = held.get(attempt.id)
        if attempt.session == command.session and word in ("gone", ends.UNSTARTED):
            ends.reached_again(ctx, attempt)
        elif word == "gone" or (word == ends.UNSTARTED and not booted_anew):
            ends.lose_soon(ctx, attempt, word)
        elif word in ("running", "exited"):
            ends.reached_again(ctx, attempt)
        elif booted_anew:
            ends.lose_soon(ctx, attempt, "gone: the host booted anew")
        elif same_session:
            ends.reached_again(ctx, attempt)
        else:
            ends.lose_soon(ctx, attempt, "gone: unknown to its agent")


def _judge_reserved(ctx: Context, held: dict[int, str], known: Agent) -> None:
    """What it had begun alone, and nobody has any more: it says so once. The rest it reports."""
    if not ctx.state.reserves:
        return
    for row in reservations.of_agent(ctx.store, known.id, RESERVED_LOOKED_MAX):
        word = held.get(row.attempt)
        if word == "gone":
            ends.lose(ctx, reserving.begin(ctx, row, row.fence), word)
        elif word == ends.UNSTARTED:
            reserving.given_back(ctx, [row], "")


def disconnect(ctx: Context, command: DisconnectAgent) -> Outcome:
    agent = agent_rows.get(ctx.store, command.agent)
    if agent is None or agent.session != command.session or agent.node != command.node:
        return refused(Code.SUPERSEDED, f"agent {command.agent} is not connected so")
    _disconnect(ctx, agent)
    return OK


def drain(ctx: Context, command: DrainAgent) -> Outcome:
    """Of one that drains already: a reason that is given is told anew, else the one that stands stays. Its
    end is what was said last; without one, none."""
    if command.until_ms is not None and command.until_ms <= ctx.stamp_ms:
        return refused(Code.INVALID, "it would be over before it begins")
    agent = _named(ctx, command.name)
    if agent is None:
        return refused(Code.NOT_FOUND, f"no agent {command.name}")
    reason = command.reason[:REASON_LETTERS_MAX] or agent.drain_reason
    if (agent.draining, agent.drain_reason, agent.drain_until_ms) != (1, reason, command.until_ms):
        agent_rows.set_draining(ctx.store, agent.id, 1, reason, command.until_ms)
        ctx.emit(e.AgentDrained(agent.id, agent.name, reason, command.actor.name))
    ctx.changed("agent", "", agent.name, *_states(agent.draining, 1), reason=reason)
    return done(agent=agent.id)


def resume(ctx: Context, command: ResumeAgent) -> Outcome:
    agent = _named(ctx, command.name)
    if agent is None:
        return refused(Code.NOT_FOUND, f"no agent {command.name}")
    if agent.draining:
        _end_drain(ctx, agent, command.actor.name)
    ctx.changed("agent", "", agent.name, *_states(agent.draining, 0))
    return done(agent=agent.id)


def end_drain(ctx: Context, command: EndDrain) -> Outcome:
    agent = agent_rows.get(ctx.store, command.agent)
    if agent is None or agent.drain_until_ms != command.until_ms or command.until_ms > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"the drain of agent {command.agent} is not to end now")
    _end_drain(ctx, agent, "")
    return OK


def _end_drain(ctx: Context, agent: Agent, actor: str) -> None:
    agent_rows.set_draining(ctx.store, agent.id, 0, "", None)
    ctx.emit(e.AgentResumed(agent.id, agent.name, actor))


def _states(*draining: int) -> list[str]:
    return ["draining" if each else "taking work" for each in draining]


def _named(ctx: Context, name: str) -> Agent | None:
    """The agent that has this name now."""
    return None if registry.FORMER in name else agent_rows.find(ctx.store, name)


def release(ctx: Context, command: ReleaseAgent) -> Outcome:
    agent = _named(ctx, command.name)
    if agent is None:
        return refused(Code.NOT_FOUND, f"no agent {command.name}")
    if agent.installation != command.installation:
        return refused(Code.SUPERSEDED, f"{command.name} is installation {agent.installation} by now")
    if agent.node:
        _disconnect(ctx, agent)
    agent_rows.set_session(ctx.store, agent.id, RELEASED)
    _step_aside(ctx, agent)
    ctx.emit(e.AgentReleased(agent.id, command.name, agent.installation, command.actor.name))
    ctx.changed("agent", "", command.name, agent.installation, None)
    return done(agent=agent.id)


def _step_aside(ctx: Context, agent: Agent) -> None:
    """The name is free; the row keeps its attempts under another."""
    agent_rows.rename(ctx.store, agent.id, f"{agent.name}{registry.FORMER}{agent.id}")


def lose_node(ctx: Context, command: LoseNode) -> Outcome:
    ctx.emit(e.NodeLost(command.node))
    # Of more, the planner asks again.
    agents = agent_rows.on_node(ctx.store, command.node, AGENTS_MAX) if command.node else []
    for agent in agents:
        _disconnect(ctx, agent)
    return done(agents=len(agents))


def _disconnect(ctx: Context, agent: Agent) -> None:
    agent_rows.disconnect(ctx.store, agent.id, _behind(ctx, agent.connected_ms))
    ctx.emit(e.AgentDisconnected(agent.id, agent.name, agent.zone, agent.node, agent.session))


def _behind(ctx: Context, before_ms: int | None) -> int:
    """The stamp, but behind what came before: stamps may stand still, and the instant of a disconnection is
    what a lease is known by (`attempts.lose`).
    """
    return ctx.stamp_ms if before_ms is None else max(ctx.stamp_ms, before_ms + 1)
