"""What an agent says of attempts that are not its own: answered here, and never put into the log.

Rules:

1. Whose an attempt is never changes, so a row that names another agent is certain, however far this node is
   behind. What has no row here may only be unknown here: it is looked for again once this node has caught up
   with the leader, and without a leader it is proposed like anything else. Unknown never means kill.
2. Attempts that were pushed on this socket are not looked up: that is every one of a right agent's.
3. Of many attempts that a Hello holds, those go into the log that are live, or reserved, and this
   installation's, as a node knows that has caught up after it heard the Hello: the machine looks at no
   others. 40,000 of them in one command kept every core from its peers for as long as an election takes.
"""

from __future__ import annotations

from collections.abc import Collection

from api.ports import NoLeaderError, Scheduler
from scheduler.protocol import RESERVED_HELD_MAX, Hello
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import reservations

CATCH_UP_S = 5.0
HELD_AS_TOLD = 1_000  #: so few are proposed as they are


async def strangers(scheduler: Scheduler, agent: int, attempts: Collection[int]) -> frozenset[int]:
    """Those of the attempts that are surely another agent's, or nobody's any more."""
    owners = _owners(scheduler, attempts)
    unknown = [attempt for attempt in attempts if attempt not in owners]
    if unknown:
        try:
            await scheduler.catch_up(timeout_s=CATCH_UP_S)
        except NoLeaderError:
            return _others(owners, agent)
        owners |= dict.fromkeys(unknown, 0) | _owners(scheduler, unknown)
    return _others(owners, agent)


async def relevant(scheduler: Scheduler, hello: Hello) -> tuple[tuple[int, str], ...]:
    """What the log has to know of what this Hello holds. Raises NoLeaderError."""
    if len(hello.held) <= HELD_AS_TOLD:
        return hello.held
    await scheduler.catch_up(timeout_s=CATCH_UP_S)
    with scheduler.read() as store:
        live = {
            attempt.id
            for agent in agent_rows.of_installation(store, hello.installation)
            for attempt in attempt_rows.live_of_agent(store, agent.id)
        }
        for agent in agent_rows.of_installation(store, hello.installation):
            reserved = reservations.of_agent(store, agent.id, RESERVED_HELD_MAX)
            live |= {row.attempt for row in reserved}
    return tuple((attempt, word) for attempt, word in hello.held if attempt in live)


def _owners(scheduler: Scheduler, attempts: Collection[int]) -> dict[int, int]:
    with scheduler.read() as store:
        return attempt_reads.agents_of(store, attempts)


def _others(owners: dict[int, int], agent: int) -> frozenset[int]:
    return frozenset(attempt for attempt, owner in owners.items() if owner != agent)
