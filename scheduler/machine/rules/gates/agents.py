"""A free slot of a connected agent that the task may run on. A slot or an agent opens it (the planner's pass
`queue`)."""

from __future__ import annotations

from scheduler.machine.rules import holdings, priority, selectors
from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, Fits, PlaceView
from scheduler.model.members import AGENTS
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.words.counted import counted

NAME = "agent"
WAITS = Waits("no agent can take it now")
AHEAD_MAX = 1_000  #: of those before it in its queue, counted


def judge(view: PlaceView) -> Verdict:
    return READY if view.free > 0 else WAITS


def fits(store: Store, selector: str) -> Fits:
    """`refuses` and `away` name those alone that offer its kind of work, where the kind is what lacks."""
    wanted = holdings.where(store, selector)
    taking: list[agent_rows.Agent] = []
    offering: list[agent_rows.Agent] = []
    refuses = away = ""
    until_ms: int | None = None
    for agent in agent_rows.newest(store):
        if not selectors.matches(
            wanted, agent=agent.id, pool=agent.pool, labels=agent.labels, zone=agent.zone, name=agent.name
        ):
            continue
        has_kind = selectors.offers(wanted, agent.kinds)
        if agent.node and not agent.draining and agent.slots:
            taking.append(agent)
            offering += [agent] if has_kind else []
        elif has_kind and agent.node:
            refuses, until_ms = (refuses, until_ms) if refuses else (agent.name, agent.drain_until_ms)
        elif has_kind:
            away = away or ("" if agent_rows.FORMER in agent.name else agent.name)
    counted = offering or taking
    slots, busy = sum(agent.slots for agent in counted), sum(agent.busy for agent in counted)
    offered = bool(offering) or not taking
    unknown = "" if offered else selectors.unknown(wanted, [(agent.name, agent.kinds) for agent in taking])
    return Fits(
        len(counted), offered, slots, busy, refuses, until_ms, away, unknown, _kept(store, wanted, counted)
    )


def _kept(store: Store, wanted: selectors.Selector, agents: list[agent_rows.Agent]) -> int:
    """Of their free slots those that a member of such a task may not have."""
    if not wanted.agent_max:
        return 0
    has = holdings.members_on(store, wanted)
    left = [(agent.slots - agent.busy, wanted.agent_max - has.get(agent.id, 0)) for agent in agents]
    return sum(max(0, slots - max(0, more)) for slots, more in left)


def ahead(facts: Facts) -> int:
    """How many tasks are before it in its queue, counted up to AHEAD_MAX."""
    queued = facts.task is not None and facts.task.state == "queued"
    return task_rows.queued_before(facts.store, facts.task, AHEAD_MAX) if facts.task and queued else 0


def words(verdict: Verdict, view: PlaceView, facts: Facts) -> Words:
    selector, found = facts.selector, facts.fits
    since_ms = facts.task.queued_ms if facts.task is not None else None
    if found is None:
        return Words(WAITS.reason, since_ms=since_ms)
    if not found.agents:
        other = f"; {found.refuses} has, and takes nothing new" if found.refuses else ""
        other = other or (f"; {found.away} has, and is disconnected" if found.away else "")
        said = f"no connected agent has {selectors.words(selectors.parse(selector))}{other}"
        wanted = holdings.where(facts.store, selector)
        opens = "an agent that can take it"
        if wanted.agent:
            said = f"it is for {_the_one(found)}: {_why(facts, wanted)}"
            if wanted.sticky:
                opens = "that agent, or another round of its group"
        return Words(said, opens, since_ms, found.refuses_until_ms)
    if found.busy >= found.slots:
        where = counted(found.agents, "agent")
        said = f"all slots are taken, {found.busy} of {found.slots} on {where} that can take it"
        return Words(said, "a slot that becomes free", since_ms)
    if found.busy + found.kept >= found.slots:
        most = selectors.parse(selector).agent_max
        said = f"each agent that fits has as many members of its task as it may: {most} (max_per_agent)"
        return Words(said, "the end of one of them, or another agent", since_ms)
    before = ahead(facts)
    said = f"{counted(before, 'task is', 'tasks are')} before it in the queue"
    return Words(said + _ranked(facts), "its turn", since_ms)


def _ranked(facts: Facts) -> str:
    if facts.task is None or facts.run is None or facts.task.state != "queued":
        return ""
    return f"; it has {priority.words(facts.task.rank_ms, facts.run.priority, facts.now_ms)}"


def _why(facts: Facts, wanted: selectors.Selector) -> str:
    """There and nowhere else."""
    other = facts.compiled.same_as if facts.compiled is not None else ""
    if wanted.sticky and facts.compiled is not None:
        return f"its group {facts.compiled.scope.group} is sticky, and has gone there"
    fanout = facts.compiled.fanout if facts.compiled is not None else None
    if fanout is not None and fanout.over == AGENTS:
        return "each agent has a member of its own"
    return f"{other} ran there" if other else "its host has booted"


def _the_one(found: Fits) -> str:
    if found.refuses:
        return f"{found.refuses}, which takes nothing new"
    return f"{found.away}, which is disconnected" if found.away else "an agent that is gone"
