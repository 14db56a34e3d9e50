"""Which agents look into the folder of a trigger that waits for files."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol

from scheduler.machine.rules.selectors import parse_labels
from scheduler.model.watching import Watched
from scheduler.protocol import FILES
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.folders import Folder

LOOKED_MAX = 1_000


class Placed(Protocol):
    """An agent, as triggers ask for it."""

    @property
    def pool(self) -> str: ...
    @property
    def labels(self) -> str: ...


def are_meant(watched: Watched, agent: Placed) -> bool:
    return agent.pool == watched.pool and frozenset(watched.labels) <= parse_labels(agent.labels)


def count(watched: Watched, folder: Folder, agent: Agent) -> bool:
    """Whether what this agent says of the folder counts."""
    return are_meant(watched, agent) and (not watched.shared or folder.agent == agent.id)


def choose(store: Store, watched: Watched, folder: Folder) -> Agent | None:
    """Whose eyes shall count, of a folder that all agents see: each folder has one, and they are spread."""
    found: Sequence[Agent] = [
        agent
        for each in agent_rows.known(store, watched.pool, LOOKED_MAX, connected=True)
        if (agent := agent_rows.get(store, each.id)) is not None
        and are_meant(watched, agent)
        and can_look(agent.kinds)
    ]
    return found[zlib.crc32(f"{folder.job}/{folder.key}".encode()) % len(found)] if found else None


def can_look(kinds: str) -> bool:
    """Whether an agent that says this of itself knows what it is to look for."""
    return f'"{FILES}"' in kinds
