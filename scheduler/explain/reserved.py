"""Why a tick that an agent has in advance is pending."""

from __future__ import annotations

from scheduler.explain.findings import WAITS_WORD, Finding
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables.reservations import Reservation


def reserved_for(store: Store, row: Reservation) -> Finding:
    agent = agent_rows.get(store, row.agent)
    name, here = ("", False) if agent is None else (agent.name, bool(agent.node))
    said = f"agent {name} has it in advance (policies.autonomy)"
    opens = "its instant"
    if not here:
        said += ", and is away: it may start it by itself, and tells of it when it is back"
        opens = "the agent's return, or a person's word that it is gone for good"
    elif row.asked_back:
        said, opens = f"{said}, and was asked to give it back", "its answer"
    return Finding("reserved", WAITS_WORD, said, opens=opens)
