"""From what was committed to what the agents here are told of it.

Rules: listen first, then read: an assignment is found either in the state that is read after ConnectAgent or
in a commit that comes after; one that is found twice is pushed once (`Conversation.assigned`). This node
pushes and relays; it decides nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from api.agents import folders
from api.agents.assignment import assignment, job_of, reservation
from api.agents.effects import Push
from api.agents.registry import Registry
from api.agents.socket import AgentSocket
from api.ports import Committed, Scheduler
from scheduler import protocol as p
from scheduler.model.by_revision import CompiledJobs
from scheduler.store.connection import Store
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import reservations as reservation_reads
from scheduler.store.reads.attempts import DispatchRow
from scheduler.store.reads.reservations import ReservedRow
from scheduler.store.tables.reservations import BY_ITSELF
from scheduler.words import events as e

log = logging.getLogger("cronclave.agents")

_HEARD = frozenset(
    {
        e.AttemptAssigned,
        e.AttemptCancelling,
        e.AttemptEnded,
        e.AgentConnected,
        e.AgentDisconnected,
        e.TokenWithdrawn,
        e.FoldersChanged,
        e.FileToMove,
        e.TickReserved,
        e.ReservedAskedBack,
    }
)


class Dispatch:
    """A listener to commits. `withdrawn` is told the names of tokens that are no longer good."""

    def __init__(
        self,
        scheduler: Scheduler,
        registry: Registry,
        compiled: CompiledJobs,
        *,
        withdrawn: Callable[[str], None],
    ) -> None:
        self._scheduler = scheduler
        self._registry = registry
        self._compiled = compiled
        self._withdrawn = withdrawn

    def on_commit(self, commit: Committed) -> None:
        here = self._registry.here
        wanted: list[int] = []
        pools: dict[str, None] = {}
        movers: dict[int, None] = {}
        reserved: list[int] = []
        asked: dict[int, None] = {}
        if _HEARD.isdisjoint(commit.kinds):
            return
        for index, _, event in commit.events:
            if type(event) not in _HEARD:
                continue
            if isinstance(event, e.AttemptAssigned | e.AttemptCancelling):
                if event.agent in here:
                    wanted.append(event.attempt)
            elif isinstance(event, e.TickReserved):
                if event.agent in here:
                    reserved.append(event.attempt)
            elif isinstance(event, e.ReservedAskedBack):
                if event.agent in here:
                    asked[event.agent] = None
            elif isinstance(event, e.AttemptEnded):
                socket = here.get(event.agent)
                if socket is not None:
                    socket.perform(socket.conversation.ended(event.attempt, event.state))
            elif isinstance(event, e.AgentDisconnected):
                self._registry.on_disconnected(index, event)
            elif isinstance(event, e.AgentConnected):
                self._registry.on_connected(index, event)
            elif isinstance(event, e.TokenWithdrawn):
                self._withdrawn(event.name)
            elif isinstance(event, e.FoldersChanged):
                pools[event.pool] = None
            elif isinstance(event, e.FileToMove):
                movers[event.agent] = None
        if pools:
            self._tell_folders([each for each in here.values() if each.conversation.pool in pools])
        if not movers.keys().isdisjoint(here):
            self._tell_moves(movers)
        if wanted:
            with self._scheduler.read() as store:
                self._push(store, attempt_reads.dispatch(store, wanted))
        if reserved or asked:
            with self._scheduler.read() as store:
                self._reserve(store, reservation_reads.of_attempts(store, reserved))
                for agent in asked:
                    self._reserve(store, self._all_reserved(store, agent))

    def on_gap(self) -> None:
        """Commits were lost: look at everything that holds a slot of an agent here."""
        for socket in list(self._registry.here.values()):
            with self._scheduler.read() as store:
                if self._registry.is_here(store, socket):
                    self._push(store, attempt_reads.live_dispatch(store, socket.conversation.agent))
                    self._reserve(store, self._all_reserved(store, socket.conversation.agent))
        self._tell_folders(list(self._registry.here.values()))
        self._tell_moves(self._registry.here)

    def register(self, socket: AgentSocket) -> None:
        """Its agent's from now on; it is told what the agent holds. No await in here: what is committed later
        comes as a commit."""
        with self._scheduler.read() as store:
            if not self._registry.register(store, socket):
                return
            self._push(store, attempt_reads.live_dispatch(store, socket.conversation.agent))
            self._reserve_all(store, socket)
        agent = socket.conversation.agent
        self._tell_folders([socket])
        self._tell_moves([agent])

    def _tell_folders(self, sockets: Iterable[AgentSocket]) -> None:
        """What they look into: of all of a pool the state is read once."""
        looks: dict[str, list[folders.Look]] = {}
        for socket in sockets:
            talk = socket.conversation
            if not talk.can_look:
                continue
            with self._scheduler.read() as store:
                if talk.pool not in looks:
                    looks[talk.pool] = folders.of_pool(store, talk.pool)
                socket.perform(talk.folders(folders.told(store, talk.agent, looks[talk.pool])))

    def _tell_moves(self, agents: Iterable[int]) -> None:
        """What is to be done with files whose runs have succeeded, of these agents."""
        with self._scheduler.read() as store:
            found = folders.moves(store)
        for agent in agents:
            socket = self._registry.here.get(agent)
            if socket is not None and socket.conversation.can_look:
                socket.perform([Push(move) for move in found.get(agent, ())])

    def _push(self, store: Store, rows: Iterable[DispatchRow]) -> None:
        for row in rows:
            socket = self._registry.here.get(row.agent)
            if socket is None:
                continue
            message = self._message(store, row)
            if message is not None:
                socket.perform(socket.conversation.assigned(row.attempt, row.state, message))

    def _reserve_all(self, store: Store, socket: AgentSocket) -> None:
        if not socket.conversation.reserves:
            return
        rows = self._all_reserved(store, socket.conversation.agent)
        socket.push(p.AllReserved(tuple(row.attempt for row in rows)))
        self._reserve(store, rows)

    @staticmethod
    def _all_reserved(store: Store, agent: int) -> list[ReservedRow]:
        return reservation_reads.of_agent(store, agent, p.RESERVED_HELD_MAX)

    def _reserve(self, store: Store, rows: Iterable[ReservedRow]) -> None:
        """Tell agents here what they have in advance, or are to give back: that the last first, so that each
        goes back to the end of what is left."""
        for row in sorted(rows, key=lambda each: -each.due_ms if each.asked_back else each.due_ms):
            socket = self._registry.here.get(row.agent)
            if socket is None or not socket.conversation.reserves:
                continue
            message: p.Message | None = p.AskBack((row.attempt,))
            if not row.asked_back:
                message = reservation(store, self._compiled, row)
            if message is not None:
                state = "asked back" if row.asked_back else "reserved"
                socket.perform(socket.conversation.assigned(row.attempt, state, message))

    def _message(self, store: Store, row: DispatchRow) -> p.Message | None:
        """What the agent has to know about this attempt now."""
        if row.state == "cancelling":
            return p.Cancel(row.attempt, at_once=bool(row.terminated))
        # One that was reserved is granted from the first: its agent claims it all the same, or has begun it.
        if row.state != "assigned" and (row.state, row.claim) != ("granted", BY_ITSELF):
            return None
        job = job_of(store, self._compiled, row)
        if job is None:
            log.error("attempt %d: revision %d of job %d is not stored", row.attempt, row.revision, row.job)
            return None
        return assignment(row, job)
