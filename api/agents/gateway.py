"""The agents' side of a node: who is let in, and all that serves them together.

Rules:

* A token that is bound to one agent has BOUND_SOCKETS_MAX sockets: for each more the oldest goes that has not
  said Hello. What all may send at once: `large_frames`; how many may come anew: `newcomers`.
* Who came by a token that is withdrawn leaves with it.
* Without a quorum, or lagging, for some time, the agents are sent away (`fitness`); who sends nothing for
  AGENT_SILENCE_MS is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from api.access import AGENT, Access, Principal, Reach
from api.agents.beside import Beside
from api.agents.conversation import Conversation
from api.agents.dispatch import Dispatch
from api.agents.facts import Facts
from api.agents.fitness import Fitness
from api.agents.large_frames import LargeFrames, Socket
from api.agents.newcomers import Newcomers
from api.agents.registry import Registry
from api.agents.socket import AgentSocket
from api.commits import Commits
from api.crowd import SCOPE_KEY as CONNECTION_KEY
from api.crowd import client_of
from api.ports import ApiSettings, Committed, Scheduler
from api.problems import Problem
from api.turns import Turns
from scheduler import protocol as p
from scheduler.model.by_revision import CompiledJobs

log = logging.getLogger("cronclave.agents")

WATCH_S = 0.25
COMPARE_S = 1.0
TAIL_S = 5.0
CLOSE_S = 1.0
SESSIONS_MAX = 20_000
BOUND_SOCKETS_MAX = 8
COMPILED_MAX = 20_000


class Gateway:
    """All agents' sockets of this node. An ASGI application for WS /v1/agent, and a listener to commits."""

    def __init__(self, scheduler: Scheduler, settings: ApiSettings, *, access: Access | None = None) -> None:
        self.scheduler = scheduler
        self.access = access or Access(scheduler)
        self.compiled = CompiledJobs(limit=COMPILED_MAX, lock=threading.Lock())  #: all of this process
        self.turns = Turns()  #: of those that come, and that have a large frame to read
        self.frames = LargeFrames()
        self.newcomers = Newcomers()
        self.beside = Beside()
        self.fitness = Fitness(scheduler.status)
        self.on_close: list[Callable[[], None]] = []
        self._facts = Facts(
            scheduler, settings, self.fitness, lambda token: self.newcomers.why_not_now(token), self.compiled
        )
        self._registry = Registry(scheduler, self.beside)
        self._dispatch = Dispatch(scheduler, self._registry, self.compiled, withdrawn=self._withdrawn)
        self._open: set[AgentSocket] = set()  #: every socket, registered or not
        self._bound: dict[str, dict[AgentSocket, None]] = {}  #: by token; oldest first
        self._watch: asyncio.Task[None] | None = None
        self._compared_s = 0.0
        self._stopping = False

    # -- the composition root's side ------------------------------------------------------------

    def start(self, commits: Commits) -> None:
        """Listen to commits and watch the quorum; called in the event loop before the first socket."""
        commits.add(self)
        if self._watch is None:
            self._watch = asyncio.create_task(self._look(), name="gateway-watch")

    def close(self) -> None:
        """Send every agent to another node, and end what else hangs on `on_close`. Returns at once; the
        sockets end within a second or so. Calling it again does nothing."""
        if self._stopping:
            return
        self._stopping = True
        self.fitness.stop()
        if self._watch is not None:
            self._watch.cancel()
        for socket in list(self._open):
            socket.leave("draining", "the node stops")
        for call in self.on_close:
            call()

    async def closed(self) -> None:
        """Close, then wait for the sockets' ends, at most a second."""
        self.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                for socket in list(self._open):
                    await socket.closed.wait()
        self.beside.cancel()

    @property
    def sessions(self) -> dict[int, AgentSocket]:
        """By the agent's id in the state: its registered session's."""
        return self._registry.here

    @property
    def agents_here(self) -> int:
        return len(self.sessions)

    async def tail(self, attempt: int, agent: int, offset: int, limit: int) -> p.TailChunk | None:
        """Output of an attempt from its agent; None: it is not connected here, or does not answer."""
        socket = self.sessions.get(agent)
        if socket is None:
            return None
        return await socket.tail(attempt, offset, limit, timeout_s=TAIL_S)

    # -- commits --------------------------------------------------------------------------------

    def on_commit(self, commit: Committed) -> None:
        self._dispatch.on_commit(commit)

    def on_gap(self) -> None:
        self._dispatch.on_gap()

    def _withdrawn(self, token: str) -> None:
        """Who is here by it leaves now; a connection must not outlive what opened it."""
        self.access.forget(token)
        for socket in list(self._open):
            if socket.conversation.principal.name == token:
                socket.leave("refused", f"token {token} is withdrawn")

    # -- sockets --------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One WebSocket of an agent, from its request to its end."""
        await receive()  # websocket.connect
        await self.turns.mine()
        try:
            principal = await self._admit(scope)
        except Problem as problem:
            await _deny(scope, send, problem)
            return
        connection: Socket | None = scope.get(CONNECTION_KEY)
        talk = Conversation(self._facts, principal, secrets.token_bytes(p.NONCE_BYTES))
        socket = AgentSocket(self, talk, receive, send, connection)
        self._open.add(socket)
        if principal.holder:
            self._bound.setdefault(principal.name, {})[socket] = None
        if connection is not None:
            connection.admitted(self.frames, principal.name)
        try:
            await socket.run()
        finally:
            self._open.discard(socket)
            self._unbind(socket)
            if connection is not None:
                connection.left()
            self._registry.forget(socket)

    def register(self, socket: AgentSocket) -> None:
        self._dispatch.register(socket)

    async def _admit(self, scope: Scope) -> Principal:
        if scope["path"] != "/v1/agent":
            raise Problem("not-found", f"no WebSocket at {scope['path'][:200]}")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        headers.pop("cookie", None)  # a browser's page must not open it
        principal = await self.access.identify(headers, client_of(scope))
        if not principal.may(AGENT, Reach.ALL):
            raise Problem("forbidden", f"a token of role {principal.role!r} does not open the agents' socket")
        if p.SUBPROTOCOL not in scope.get("subprotocols", ()):
            raise Problem("validation", f"the subprotocol {p.SUBPROTOCOL} is needed", status=400)
        if self._stopping or len(self._open) >= SESSIONS_MAX:
            raise Problem("unavailable", "the node takes no agents now", headers={"Retry-After": "1"})
        if principal.holder:
            self._make_room(principal)
        if CONNECTION_KEY in scope:
            scope[CONNECTION_KEY].proved()
        return principal

    def _make_room(self, principal: Principal) -> None:
        """For one more socket of a token that one agent has. One that comes back needs two: what it left
        may not have been seen to end."""
        sockets = self._bound.get(principal.name, {})
        if len(sockets) < BOUND_SOCKETS_MAX:
            return
        silent = next((socket for socket in sockets if socket.conversation.hello is None), None)
        if silent is None:
            raise Problem(
                "overloaded",
                f"token {principal.name} is that of one agent, {principal.holder}, and has"
                f" {BOUND_SOCKETS_MAX} sockets here",
                hint="Each agent needs a token of its own: cronclave token create --role agent NAME.",
                headers={"Retry-After": "1"},
            )
        self._unbind(silent)
        silent.abandon()

    def _unbind(self, socket: AgentSocket) -> None:
        token = socket.conversation.principal.name
        sockets = self._bound.get(token, {})
        if socket in sockets:
            del sockets[socket]
            if not sockets:
                del self._bound[token]

    # -- now and then ---------------------------------------------------------------------------

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            now_s = time.monotonic()
            self._cut_off_silent(now_s)
            reason = self.fitness.overdue(now_s)
            if reason is not None:
                for socket in list(self._open):
                    socket.leave(reason, "this node cannot speak for the cluster now")
            elif self.fitness.why_not() is None and now_s - self._compared_s >= COMPARE_S:
                self._compared_s = now_s
                self._registry.compare()

    def _cut_off_silent(self, now_s: float) -> None:
        for socket in list(self._open):
            if socket.silent_ms(now_s) > p.AGENT_SILENCE_MS:
                log.warning("agent %s sends nothing: closing its socket", socket.conversation.name)
                socket.abandon()


async def _deny(scope: Scope, send: Send, problem: Problem) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": problem.detail[:100]})
        return
    headers = [(b"content-type", b"application/problem+json")]
    headers += [(k.lower().encode(), v.encode()) for k, v in problem.headers.items()]
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": problem.body(), "more_body": False})
