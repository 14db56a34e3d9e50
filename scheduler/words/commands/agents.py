"""Agents: connected, disconnected, drained, their names released."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByAgent, ByPerson, ByPlanner, command


@command(20)
class ConnectAgent(ByAgent):
    """An agent registered. `held`: every attempt that its journal knows, with running | exited |
    gone | unstarted."""

    name: str
    installation: str
    session: str
    boot_id: str
    zone: str
    pool: str
    labels: bytes  #: canonical JSON object
    slots: int
    version: str
    node: str
    kinds: tuple[str, ...]  #: of work, that its executors run (scheduler.model.work), sorted
    held: tuple[tuple[int, str], ...] = ()
    cloud_id: str = ""


@command(26)
class ReleaseAgent(ByPerson):
    """A person takes the name from the installation that has it: another may come under it."""

    name: str
    installation: str  #: that is meant; refused when another has the name by now
    actor: Actor = NOBODY


@command(27)
class DrainAgent(ByPerson):
    """The agent starts nothing more; what it runs comes to its end."""

    name: str
    reason: str = ""
    actor: Actor = NOBODY
    until_ms: int | None = None  #: when it takes work again by itself


@command(105)
class EndDrain(ByPlanner):
    """Its time is over: the agent takes work again."""

    agent: int
    until_ms: int  #: as the planner saw it


@command(135)
class LetMembersGo(ByPlanner):
    """An agent came back for which very many members of divided tasks waited: the next of them have their
    turn."""

    agent: int
    after: int  #: the last member that was looked at, as the planner saw it


@command(28)
class ResumeAgent(ByPerson):
    """The agent takes work again."""

    name: str
    actor: Actor = NOBODY


@command(21)
class DisconnectAgent(ByAgent):
    agent: int
    session: str
    node: str


@command(49)
class LoseNode(ByPlanner):
    """A node was silent for 2 s: its agents are disconnected in the state."""

    node: str
