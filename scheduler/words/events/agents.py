"""What became of agents, and of the nodes that they were connected to."""

from __future__ import annotations

from scheduler.words.record import SOON, Event, event


@event(17, wakes=SOON)
class AgentConnected(Event):
    agent: int
    name: str
    zone: str
    pool: str
    node: str
    session: str


@event(18, wakes=SOON)
class AgentDisconnected(Event):
    agent: int
    name: str
    zone: str
    node: str
    session: str


@event(24)
class AgentReleased(Event):
    """A person took the name from this installation, for good."""

    agent: int
    name: str
    installation: str
    actor: str


@event(25, wakes=SOON)
class AgentDrained(Event):
    """It starts nothing more until it is resumed, or its time is over. What it had without a grant goes
    elsewhere."""

    agent: int
    name: str
    reason: str
    actor: str


@event(26, wakes=SOON)
class AgentResumed(Event):
    agent: int
    name: str
    actor: str


@event(19)
class NodeLost(Event):
    node: str
