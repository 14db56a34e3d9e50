"""The agents' side of a node: who hangs here, what to push to them when something is committed.

Rules (design, section 3):

* Listen first, then read: an assignment is found either in the state that is read after ConnectAgent or in
  a commit that comes after; one that is found twice is pushed once.
* This node pushes and relays; it decides nothing. Start, Finish and the rest are commands to the log.
* Pong renews leases, so it is sent only while this node has a quorum and is not behind. Without a quorum for
  `GRACE_S`, or lagging for as long, the agents are sent away. A leader change alone touches no socket.
* When the state says that an agent is disconnected that hangs here (the node was given up for lost, or a
  newer connection elsewhere ended), its socket is closed: it registers again, with all that its journal
  holds. Only what was committed after its ConnectAgent counts: commits are heard later than outcomes.
* A token that is bound to one agent has BOUND_SOCKETS_MAX sockets: for each more the oldest goes that has not
  said Hello. What all may send at once: `api.large_frames`; how many may come anew: `api.newcomers`.
* Events can be lost (a gap, a front that died), so sockets and state are also compared, every ROLL_S: a
  socket whose agent the state has elsewhere would renew a lease that nobody counts on; an agent that the
  state has here and that has no socket would never be given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable

from starlette.types import Receive, Scope, Send

from api.access import AGENT, Access, Principal
from api.agent_session import AgentSession
from api.agent_work import assignment
from api.commits import Commits
from api.crowd import SCOPE_KEY as CONNECTION_KEY
from api.crowd import client_of
from api.large_frames import LargeFrames, Socket
from api.newcomers import Newcomers
from api.placement import CompiledJobs
from api.ports import ApiSettings, Committed, NoLeaderError, OverloadedError, Scheduler, UnavailableError
from api.problems import Problem
from api.turns import Turns
from scheduler import events as e
from scheduler import protocol as p
from scheduler.commands import DisconnectAgent
from scheduler.store import agents as agent_rows
from scheduler.store import pages
from scheduler.store import state as state_rows
from scheduler.store.connection import Store

log = logging.getLogger("cronclave.gateway")

GRACE_S = 1.0
LAG_MS_MAX = 1_000
WATCH_S = 0.25
ROLL_S = 1.0
FIT_POLL_S = 0.02
TAIL_S = 5.0
DISCONNECT_TRIES_S = 30.0
RETRY_S = 0.25
CLOSE_S = 1.0
SESSIONS_MAX = 20_000
BOUND_SOCKETS_MAX = 8


class Gateway:
    """All agents' sockets of this node. An ASGI application for WS /v1/agent, and a listener to commits."""

    def __init__(self, scheduler: Scheduler, settings: ApiSettings, *, access: Access | None = None) -> None:
        self.scheduler = scheduler
        self.settings = settings
        self.access = access or Access(scheduler)
        self.compiled = CompiledJobs()
        self.turns = Turns()  #: of those that come, and that have a large frame to read
        self.sessions: dict[int, AgentSession] = {}  #: agent's id in the state → its registered session
        self._open: set[AgentSession] = set()  #: every socket, registered or not
        self.frames = LargeFrames()
        self.newcomers = Newcomers()
        self._bound: dict[str, dict[AgentSession, None]] = {}  #: by token; oldest first
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._bad_since_s: float | None = None
        self._compared_s = 0.0
        self._absent: dict[int, str] = {}  #: agents that the state has here without a socket: their session
        self._stopping = False
        self.on_close: list[Callable[[], None]] = []

    # -- the composition root's side ------------------------------------------------------------

    def start(self, commits: Commits) -> None:
        """Listen to commits and watch the quorum; called in the event loop before the first socket."""
        commits.add(self)
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_quorum(), name="gateway-watch")

    def close(self) -> None:
        """Send every agent to another node, and end what else hangs on `on_close`. Returns at once; the
        sockets end within a second or so. Calling it again does nothing."""
        if self._stopping:
            return
        self._stopping = True
        if self._watch is not None:
            self._watch.cancel()
        for session in list(self._open):
            session.leave("draining", "the node stops")
        for call in self.on_close:
            call()

    async def closed(self) -> None:
        """Close, then wait for the sockets' ends, at most a second."""
        self.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                for session in list(self._open):
                    await session.ended.wait()
        for task in list(self._tasks):
            task.cancel()

    @property
    def agents_here(self) -> int:
        return len(self.sessions)

    async def tail(self, attempt: int, agent: int, offset: int, limit: int) -> p.TailChunk | None:
        """Output of an attempt from its agent; None: it does not hang here, or does not answer."""
        session = self.sessions.get(agent)
        if session is None:
            return None
        return await session.tail(attempt, offset, limit, timeout_s=TAIL_S)

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
        socket: Socket | None = scope.get(CONNECTION_KEY)
        session = AgentSession(self, receive, send, principal, socket)
        self._open.add(session)
        if principal.holder:
            self._bound.setdefault(principal.name, {})[session] = None
        if socket is not None:
            socket.admitted(self.frames, principal.name)
        try:
            await session.run()
        finally:
            self._open.discard(session)
            self._unbind(session)
            if socket is not None:
                socket.left()
            self.forget(session)

    async def _admit(self, scope: Scope) -> Principal:
        if scope["path"] != "/v1/agent":
            raise Problem("not-found", f"no WebSocket at {scope['path'][:200]}")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        headers.pop("cookie", None)  # a browser's page must not open it
        principal = await self.access.identify(headers, client_of(scope))
        if not principal.may(AGENT):
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
        silent = next((session for session in sockets if not session.said_hello), None)
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

    def _unbind(self, session: AgentSession) -> None:
        sockets = self._bound.get(session.principal.name, {})
        if session in sockets:
            del sockets[session]
            if not sockets:
                del self._bound[session.principal.name]

    def fit(self) -> str | None:
        """None while this node may speak for the cluster; else the reason to leave it: no_quorum | behind."""
        status = self.scheduler.status()
        if not status.quorum:
            return "no_quorum"
        return "behind" if status.commit_lag_ms > LAG_MS_MAX else None

    async def fit_soon(self) -> str | None:
        """As `fit`, but an election is waited for: sending agents round the nodes would only delay them."""
        end_s = time.monotonic() + GRACE_S
        while (reason := self.fit()) is not None and time.monotonic() < end_s and not self._stopping:
            await asyncio.sleep(FIT_POLL_S)
        return reason

    # -- sessions -------------------------------------------------------------------------------

    def register(self, session: AgentSession) -> list[p.Message]:
        """The session is the agent's now; returns what to tell it after its Welcome. No await in here: what
        is committed later comes as a commit."""
        old = self.sessions.get(session.agent)
        if old is not None and old is not session:
            if old.hello.session == session.hello.session:
                old.drop()  # the same process came back before its old socket was seen to end
            else:
                old.leave("fenced", "a newer session of this agent exists")
        self.sessions[session.agent] = session
        with self.scheduler.read() as store:
            session.since = state_rows.load(store).idx
            if self._given_up(store, session):
                return []
            rows = pages.live_dispatch(store, session.agent)
            messages: list[p.Message] = []
            for row in rows:
                message = self._message(store, row)
                if message is not None and session.first_time(row.attempt, row.state):
                    messages.append(message)
        return messages

    def forget(self, session: AgentSession) -> None:
        """Its socket ended: the state learns it, unless a newer session has taken the place."""
        if session.agent and self.sessions.get(session.agent) is session:
            del self.sessions[session.agent]
            if not session.disconnected:
                self.keep(self._disconnect(session), "disconnect")

    async def _disconnect(self, session: AgentSession) -> None:
        command = DisconnectAgent(session.agent, session.hello.session, self.scheduler.status().node)
        end_s = time.monotonic() + DISCONNECT_TRIES_S
        while session.agent not in self.sessions and time.monotonic() < end_s:
            try:
                await self.scheduler.propose(command, timeout_s=5.0)
                return
            except (NoLeaderError, OverloadedError, UnavailableError):
                await asyncio.sleep(RETRY_S)

    def keep(self, work: object, name: str) -> None:
        """Run a coroutine beside the sockets; its failure is logged."""
        task = asyncio.create_task(_logged(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- commits --------------------------------------------------------------------------------

    def on_commit(self, commit: Committed) -> None:
        sessions = self.sessions
        wanted: list[int] = []
        for index, _, event in commit.events:
            if isinstance(event, e.AttemptAssigned | e.AttemptCancelling):
                if event.agent in sessions:
                    wanted.append(event.attempt)
            elif isinstance(event, e.AttemptEnded):
                self._on_ended(event)
            elif isinstance(event, e.AgentDisconnected):
                self._on_disconnected(index, event)
            elif isinstance(event, e.AgentConnected):
                self._on_connected(index, event)
            elif isinstance(event, e.TokenWithdrawn):
                self._on_withdrawn(event.name)
        if wanted:
            self._push(wanted)

    def _on_withdrawn(self, token: str) -> None:
        """Who is here by it leaves now; a connection must not outlive what opened it."""
        self.access.forget(token)
        for session in list(self._open):
            if session.principal.name == token:
                session.leave("refused", f"token {token} is withdrawn")

    def on_gap(self) -> None:
        """Commits were lost: look at everything that holds a slot of an agent here."""
        for session in list(self.sessions.values()):
            with self.scheduler.read() as store:
                if not self._given_up(store, session):
                    self._push_rows(store, pages.live_dispatch(store, session.agent))

    def _push(self, attempts: Iterable[int]) -> None:
        with self.scheduler.read() as store:
            self._push_rows(store, pages.dispatch(store, attempts))

    def _push_rows(self, store: Store, rows: Iterable[pages.DispatchRow]) -> None:
        for row in rows:
            session = self.sessions.get(row.agent)
            if session is None:
                continue
            message = self._message(store, row)
            if message is not None and session.first_time(row.attempt, row.state):
                session.push(message)

    def _message(self, store: Store, row: pages.DispatchRow) -> p.Message | None:
        """What the agent has to know about this attempt now."""
        if row.state == "cancelling":
            return p.Cancel(row.attempt)
        if row.state != "assigned":
            return None
        compiled = self.compiled.peek(row.job, row.revision)
        if compiled is None:
            spec = pages.spec_of(store, row.job, row.revision)
            if spec is None:
                log.error(
                    "attempt %d: revision %d of job %d is not stored", row.attempt, row.revision, row.job
                )
                return None
            compiled = self.compiled.get(row.job, row.revision, spec)
        return assignment(row, compiled)

    def _on_ended(self, event: e.AttemptEnded) -> None:
        session = self.sessions.get(event.agent)
        if session is not None:
            session.ended_attempt(event.attempt, event.state)

    def _on_disconnected(self, index: int, event: e.AgentDisconnected) -> None:
        session = self.sessions.get(event.agent)
        if session is None or index <= session.since:
            return
        if event.session == session.hello.session and event.node == self._node:
            self._give_up(session, "", event.session)

    def _on_connected(self, index: int, event: e.AgentConnected) -> None:
        session = self.sessions.get(event.agent)
        if session is None or index <= session.since:
            return
        if event.session != session.hello.session or event.node != self._node:
            self._give_up(session, event.node, event.session)

    def _given_up(self, store: Store, session: AgentSession) -> bool:
        """Whether the state has this session's agent elsewhere or nowhere; its socket is closed then."""
        row = agent_rows.get(store, session.agent)
        if row is not None and (row.node, row.session) == (self._node, session.hello.session):
            return False
        if row is None:
            self._give_up(session, "", session.hello.session)
        else:
            self._give_up(session, row.node, row.session)
        return True

    @staticmethod
    def _give_up(session: AgentSession, node: str, newest: str) -> None:
        """`node` and `newest`: where the state has the agent, and by which session."""
        session.disconnected = True  # the state knows already: nothing to report
        if newest != session.hello.session:
            session.leave("fenced", "a newer session of this agent exists")
        elif node:
            session.drop()
        else:
            session.leave("behind", "the cluster gave this connection up: register again")

    def _compare(self) -> None:
        """The sockets with the state. An agent without one is given up when it was missing at the last look
        too: it may be registering just now.
        """
        node = self._node
        absent: dict[int, str] = {}
        with self.scheduler.read() as store:
            here = dict(agent_rows.sessions_on(store, node))
            for session in list(self.sessions.values()):
                if here.get(session.agent) != session.hello.session:
                    self._given_up(store, session)
        for agent, newest in here.items():
            if agent in self.sessions:
                continue
            absent[agent] = newest
            if self._absent.get(agent) == newest:
                log.warning("agent %d has no socket here: giving it up", agent)
                self.keep(self._report(DisconnectAgent(agent, newest, node)), "disconnect-absent")
        self._absent = absent

    async def _report(self, command: DisconnectAgent) -> None:
        """Once: what gets no outcome is seen again at the next look."""
        with contextlib.suppress(NoLeaderError, OverloadedError, UnavailableError):
            await self.scheduler.propose(command, timeout_s=5.0)

    @property
    def _node(self) -> str:
        return self.scheduler.status().node

    async def _watch_quorum(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            reason = self.fit()
            now_s = time.monotonic()
            for session in list(self._open):
                if (now_s - session.heard_s) * 1000 > p.AGENT_SILENCE_MS:
                    log.warning("agent %s sends nothing: closing its socket", session.hello.name)
                    session.abandon()
            if reason is None:
                self._bad_since_s = None
                if now_s - self._compared_s >= ROLL_S:
                    self._compared_s = now_s
                    self._compare()
            elif self._bad_since_s is None:
                self._bad_since_s = now_s
            elif now_s - self._bad_since_s >= GRACE_S:
                for session in list(self._open):
                    session.leave(reason, "this node cannot speak for the cluster now")


async def _logged(work: object, name: str) -> None:
    try:
        await work  # type: ignore[misc]  # a coroutine
    except Exception:
        log.exception("%s failed", name)


async def _deny(scope: Scope, send: Send, problem: Problem) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": problem.detail[:100]})
        return
    headers = [(b"content-type", b"application/problem+json")]
    headers += [(k.lower().encode(), v.encode()) for k, v in problem.headers.items()]
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": problem.body(), "more_body": False})
