"""Which agents are connected to this node, and whether the state says so too.

Rules:

* An agent has one conversation here. A newer session fences the older one; the same session that came back
  before its old socket was seen to end just takes its place.
* When the state says that an agent is not connected here (the node was given up for lost, or a newer
  connection elsewhere ended), its socket is closed: it registers again, with all that its journal holds.
* Events can be lost (a gap, a front that died), so sockets and state are also compared, now and then: a
  socket whose agent the state has elsewhere would renew a lease that nobody counts on; an agent that the
  state has here and that has no socket would never be given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from api.agents.beside import Beside
from api.agents.socket import AgentSocket
from api.ports import NoLeaderError, OverloadedError, Scheduler, UnavailableError
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.store.reads import agents as agent_reads
from scheduler.store.tables import agents as agent_rows
from scheduler.words import events as e
from scheduler.words.commands import DisconnectAgent

log = logging.getLogger("cronclave.agents")

DISCONNECT_TRIES_S = 30.0
RETRY_S = 0.25
PROPOSE_S = 5.0


class Registry:
    """By the agent's id in the state."""

    def __init__(self, scheduler: Scheduler, beside: Beside) -> None:
        self._scheduler = scheduler
        self._beside = beside
        self.here: dict[int, AgentSocket] = {}
        self._absent: dict[int, str] = {}  #: agents that the state has here without a socket: their session

    def register(self, store: Store, socket: AgentSocket) -> bool:
        """The socket is its agent's now. False: the state has the agent elsewhere already."""
        talk = socket.conversation
        old = self.here.get(talk.agent)
        if old is not None and old is not socket:
            if old.conversation.session == talk.session:
                old.drop()  # the same process came back before its old socket was seen to end
            else:
                old.leave("fenced", "a newer session of this agent exists")
        self.here[talk.agent] = socket
        talk.registered(state_rows.load(store).idx)
        return self.is_here(store, socket)

    def forget(self, socket: AgentSocket) -> None:
        """Its socket ended: the state learns it, unless a newer session has taken the place."""
        talk = socket.conversation
        if talk.agent and self.here.get(talk.agent) is socket:
            del self.here[talk.agent]
            if not talk.is_given_up:
                self._beside.start(self._disconnect(talk.agent, talk.session), "disconnect")

    def is_here(self, store: Store, socket: AgentSocket) -> bool:
        """Whether the state has its agent here; if not, the socket is closed."""
        talk = socket.conversation
        row = agent_rows.get(store, talk.agent)
        node, session = ("", talk.session) if row is None else (row.node, row.session)
        effects = talk.compared(node, session)
        socket.perform(effects)
        return not effects

    def on_connected(self, index: int, event: e.AgentConnected) -> None:
        socket = self.here.get(event.agent)
        if socket is not None:
            socket.perform(socket.conversation.connected(index, event.node, event.session))

    def on_disconnected(self, index: int, event: e.AgentDisconnected) -> None:
        socket = self.here.get(event.agent)
        if socket is not None:
            socket.perform(socket.conversation.disconnected(index, event.node, event.session))

    def compare(self) -> None:
        """The sockets with the state. An agent without one is given up when it was missing at the last look
        too: it may be registering just now.
        """
        node = self._scheduler.status().node
        absent: dict[int, str] = {}
        with self._scheduler.read() as store:
            rows = dict(agent_reads.sessions_on(store, node))
            for socket in list(self.here.values()):
                if rows.get(socket.conversation.agent) != socket.conversation.session:
                    self.is_here(store, socket)
        for agent, newest in rows.items():
            if agent in self.here:
                continue
            absent[agent] = newest
            if self._absent.get(agent) == newest:
                log.warning("agent %d has no socket here: giving it up", agent)
                self._beside.start(self._report(DisconnectAgent(agent, newest, node)), "disconnect-absent")
        self._absent = absent

    async def _disconnect(self, agent: int, session: str) -> None:
        command = DisconnectAgent(agent, session, self._scheduler.status().node)
        end_s = time.monotonic() + DISCONNECT_TRIES_S
        while agent not in self.here and time.monotonic() < end_s:
            try:
                await self._scheduler.propose(command, timeout_s=PROPOSE_S)
                return
            except (NoLeaderError, OverloadedError, UnavailableError):
                await asyncio.sleep(RETRY_S)

    async def _report(self, command: DisconnectAgent) -> None:
        """Once: what gets no outcome is seen again at the next look."""
        with contextlib.suppress(NoLeaderError, OverloadedError, UnavailableError):
            await self._scheduler.propose(command, timeout_s=PROPOSE_S)
