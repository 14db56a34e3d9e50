"""The socket to a node: finds one that serves, says hello, batches what goes out, notices silence.

1. The addresses are tried in order, own zone first; the next at once when one refuses or sends us away, and
   after a whole round without a welcome a jittered pause (50 ms, doubling to 2 s).
2. Everything that is ready in one turn of the loop goes in one frame.
3. Pings go out at the start, every PING_MS, and every PING_BUSY_MS while something waits for an answer or was
   worked on just now. A Ping without any Pong for SILENCE_MS: on to the next node. Only a Pong that `renews`
   renews leases.
4. Connected elsewhere, an agent looks every HOME_S whether its first node serves again, and goes home.
5. What an agent can take is said in Hello alone. When that changes (disk full, spooler stopped; well again)
   it registers anew, every REGISTER_AGAIN_S at most.
6. A node whose frames are of another shape, an older or a newer one, is left as one that sends us away is:
   with a word in the log, for the next.
7. `fenced` (a newer session of this installation) ends the agent; every other Leave means the next node.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from agent import SOFTWARE
from agent.clock import NodeClock, boot_ms
from agent.trust import Trust
from scheduler.protocol import (
    FRAME_BYTES_MAX,
    LEASE_MS,
    PING_BUSY_MS,
    PING_MS,
    SILENCE_MS,
    SUBPROTOCOL,
    VERSION,
    Challenge,
    Finished,
    Goodbye,
    Hello,
    Leave,
    Message,
    Ping,
    Pong,
    ProtocolError,
    Ran,
    Recount,
    Seen,
    TailChunk,
    Welcome,
    encode,
    of_a_node,
)

log = logging.getLogger("agent.connection")
OPEN_TIMEOUT_S = 2.0
WELCOME_TIMEOUT_S = 5.0
LAST_WORDS_S = 1.0
HOME_S = 5.0
REGISTER_AGAIN_S = 3.0
BUSY_MS = 2_000  #: after work an agent pings as often as while it waits: a node's end must not cost a second
_FIRST_PINGS_S = (0.0, 0.02, 0.06)  #: the quickest of several is the best estimate of the clock
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.05, 2.0
_LEFT = (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed)
_FRAME_MESSAGES_MAX = 500
_FRAME_ROOM_BYTES = FRAME_BYTES_MAX // 2


@dataclass(frozen=True, slots=True)
class Pace:
    """How often an agent is heard, and how long it waits to hear."""

    ping_ms: float = PING_MS
    busy_ms: float = PING_BUSY_MS
    silence_ms: float = SILENCE_MS


class Fenced(Exception):
    """A newer session of this installation is connected: this one has to end."""


class Listener(Protocol):
    """Who works behind the connection."""

    def hello(self, nonce: bytes) -> Hello:
        """Signed over the node's challenge."""


    def accept(self, welcome: Welcome) -> str:
        """Why this cluster is refused; empty: it is ours, and everything unsaid may be said now."""

    async def recount(self, asked: Recount) -> Ran | str:
        """A restored cluster asks what ran here; the page, or why it gets none."""

    def receive(self, messages: list[Message]) -> None: ...

    def lease(self, until_boot_ms: float) -> None: ...

    def beat(self) -> int:
        """Once a second while connected: the highest index seen."""

    def slots(self) -> int:
        """How many attempts this agent may be given now."""

    def waiting(self) -> bool:
        """Whether a claim or a report waits for the node's answer."""


class Connection:
    def __init__(
        self,
        nodes: tuple[str, ...],
        bearer: Callable[[], str],
        trust: Trust,
        clock: NodeClock,
        listener: Listener,
        *,
        fixed: bool = False,
        pace: Pace = Pace(),  # frozen
    ) -> None:
        """`fixed`: the addresses that a node names are not taken."""
        self._pace = pace
        self._configured = nodes
        self._fixed = fixed
        self._nodes = nodes
        self._bearer = bearer
        self._trust = trust
        self._clock = clock
        self._listener = listener
        self._outgoing: list[Message] = []
        self._ready = asyncio.Event()
        self._welcomed = False
        self._socket: ClientConnection | None = None
        self._worked_ms = 0.0  #: latest message that was no Pong
        self._unanswered_ms: float | None = None  #: sending of the oldest Ping without a later Pong
        self._url = ""
        self._slots = 0  #: as said in the last Hello
        self._useful = False  #: it is left for a reason of our own
        self._said: dict[str, str] = {}

    def send(self, message: Message) -> None:
        """Into the frame of this turn; dropped while no node has welcomed us."""
        if self._welcomed:
            self._outgoing.append(message)
            self._ready.set()

    async def run(self) -> None:
        """Until cancelled; raises Fenced."""
        pause_s = _PAUSE_FIRST_S
        while True:
            for url in self._nodes:
                if await self._visit(url):
                    pause_s = _PAUSE_FIRST_S
                    break  # from the front again: own zone first
            else:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
                pause_s = min(_PAUSE_MAX_S, pause_s * 2)

    async def _visit(self, url: str) -> bool:
        """Serve at this node while it lasts; was it more than a glance?"""
        address = "ws" + url.removeprefix("http") + "/v1/agent"
        arrived_ms = 0.0
        why = ""
        try:
            async with connect(
                address,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                additional_headers={"Authorization": f"Bearer {self._bearer()}"},
                ssl=self._trust.context() if url.startswith("https") else None,
                proxy=None,
                compression=None,
                max_size=FRAME_BYTES_MAX,
                max_queue=64,
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=1.0,
                ping_interval=None,
            ) as socket:
                why = await self._greet(socket, url)
                if not why:
                    arrived_ms = boot_ms()
                    why = await self._serve(socket)
        except ProtocolError as error:
            why = f"it speaks otherwise than this agent ({SOFTWARE}, protocol {VERSION}): {error}"
        except _LEFT as error:
            why = why or f"{type(error).__name__}: {error}"
        finally:
            self._welcomed = False
            self._socket = None
            self._outgoing.clear()
        if self._said.get(url) != why or arrived_ms:
            log.warning("left %s: %s", url, why)
            self._said[url] = why
        if arrived_ms:
            if not self._useful:
                # The others first: this one has just become useless.
                self._nodes = (*(n for n in self._nodes if n != url), url)
            self._useful = False
            return boot_ms() - arrived_ms > 1_000
        return False

    async def _greet(self, socket: ClientConnection, url: str) -> str:
        """Challenge, Hello and Welcome; why not, or nothing."""
        async with asyncio.timeout(WELCOME_TIMEOUT_S):
            asked, *_ = of_a_node(await socket.recv(decode=False))
        if isinstance(asked, Leave):
            return self._told_to_leave(asked)
        if not isinstance(asked, Challenge):
            return f"expected Challenge, got {type(asked).__name__}"
        hello_ms = boot_ms()
        hello = self._listener.hello(asked.nonce)
        self._slots = hello.slots
        await socket.send(encode([hello]))
        while True:
            async with asyncio.timeout(WELCOME_TIMEOUT_S):
                first, *rest = of_a_node(await socket.recv(decode=False))
            if not isinstance(first, Recount):
                break
            answer = await self._listener.recount(first)
            if isinstance(answer, str):
                return answer
            await socket.send(encode([answer]))
        if isinstance(first, Leave):
            return self._told_to_leave(first)
        if not isinstance(first, Welcome):
            return f"expected Welcome, got {type(first).__name__}"
        self._clock.reset()
        self._unanswered_ms = None
        self._url = url
        self._socket = socket
        self._welcomed = True
        refused = self._listener.accept(first)
        if refused:
            return refused  # nor does it renew the leases of another cluster's work
        self._listener.lease(hello_ms + LEASE_MS)
        self._learn(first.addresses)
        self._said.clear()
        log.info("connected to %s (%s) as agent %d", first.node, url, first.agent)
        if rest:
            self._hear(rest)
        return ""

    def _learn(self, addresses: tuple[str, ...]) -> None:
        """The node knows the members; configured addresses stay as a way back."""
        known = () if self._fixed else tuple(address.rstrip("/") for address in addresses)
        self._nodes = (*known, *(node for node in self._configured if node not in known))

    @staticmethod
    def _told_to_leave(leave: Leave) -> str:
        if leave.reason == "fenced":
            raise Fenced(leave.detail or "a newer session of this installation is connected")
        return f"told to leave: {leave.reason} {leave.detail}".rstrip()

    # -- while connected

    async def _serve(self, socket: ClientConnection) -> str:
        reader = asyncio.create_task(self._read(socket))
        tasks = [reader, asyncio.create_task(self._write(socket)), asyncio.create_task(self._beat())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if any(map(_met_the_end, tasks)):
                # What the node said before the connection's end, a Leave perhaps, is heard.
                await asyncio.wait({reader}, timeout=LAST_WORDS_S)
            done = sorted((task for task in tasks if task.done()), key=_met_the_end)
            return done[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, socket: ClientConnection) -> str:
        while True:
            why = self._hear(of_a_node(await socket.recv(decode=False)))
            if why:
                return why

    def _hear(self, messages: list[Message]) -> str:
        for message in messages:
            if isinstance(message, Pong):
                self._unanswered_ms = None
                self._clock.pong(message.node_ms, boot_ms())
                if message.renews:
                    self._listener.lease(message.sent_ms + LEASE_MS)
            elif isinstance(message, Leave):
                return self._told_to_leave(message)
            else:
                self._worked_ms = boot_ms()
        self._listener.receive(messages)
        return ""

    async def _write(self, socket: ClientConnection) -> str:
        while True:
            await self._ready.wait()
            # One more turn: what the callbacks of this one have still to say goes along.
            await asyncio.sleep(0)
            self._ready.clear()
            outgoing, self._outgoing = self._outgoing, []
            for batch in _frames(outgoing):
                await socket.send(encode(batch))

    async def _beat(self) -> str:
        for wait_s in _FIRST_PINGS_S:
            await asyncio.sleep(wait_s)
            self._ping()
        pace, pinged_ms = self._pace, boot_ms()
        arrived_ms = served_ms = pinged_ms
        home_s = HOME_S * random.uniform(0.7, 1.3)
        while True:
            await asyncio.sleep(pace.busy_ms / 1000)
            now_ms = boot_ms()
            if self._unanswered_ms is not None and now_ms - self._unanswered_ms > pace.silence_ms:
                if self._socket is not None:
                    self._socket.transport.abort()  # no farewell: nobody would read it, and it takes a second
                return f"no answer for {pace.silence_ms:.0f} ms"
            busy = self._listener.waiting() or now_ms - self._worked_ms < BUSY_MS
            if busy or now_ms - pinged_ms >= pace.ping_ms:
                pinged_ms = now_ms
                self._ping()
            slots = self._listener.slots()
            if slots != self._slots and now_ms - served_ms >= REGISTER_AGAIN_S * 1000:
                self._useful = True
                return f"it registers anew, with {slots} slots instead of {self._slots}"
            if now_ms - arrived_ms >= home_s * 1000:
                arrived_ms = now_ms
                if self._url != self._configured[0] and await self._home_serves():
                    return f"{self._configured[0]}, nearer, serves again"

    async def _home_serves(self) -> bool:
        try:
            home = self._configured[0]
            # Without TLS nothing is verified: to load what all the world trusts took 20 ms each time.
            verify = self._trust.context() if home.startswith("https") else False
            async with httpx2.AsyncClient(verify=verify, timeout=OPEN_TIMEOUT_S, trust_env=False) as client:
                reply = await client.get(f"{home}/readyz")
        except httpx2.HTTPError:
            return False
        return reply.status_code == 200

    def _ping(self) -> None:
        now_ms = boot_ms()
        if self._unanswered_ms is None:
            self._unanswered_ms = now_ms
        self.send(Ping(int(now_ms), self._listener.beat()))

    async def goodbye(self, reason: str) -> None:
        """Say that we stop in good order; the node need not wait for us."""
        socket = self._socket
        if socket is not None:
            try:
                batch = [*self._outgoing, Goodbye(reason)]
                self._outgoing = []
                for messages in _frames(batch):
                    async with asyncio.timeout(1.0):
                        await socket.send(encode(messages))
                async with asyncio.timeout(1.0):
                    await socket.close()
            except (OSError, TimeoutError, ConnectionClosed):
                return


def _met_the_end(task: asyncio.Task[str]) -> bool:
    return task.done() and isinstance(task.exception(), ConnectionClosed)


def _frames(messages: list[Message]) -> list[list[Message]]:
    """The messages in order, in portions that surely fit a frame."""
    frames: list[list[Message]] = []
    batch: list[Message] = []
    size = 0
    for message in messages:
        weight = 64
        if isinstance(message, Finished):
            weight += len(message.tail) + 4 * len(message.detail)
        elif isinstance(message, TailChunk):
            weight += len(message.data)
        elif isinstance(message, Seen):
            weight += sum(64 + 4 * len(row[0]) for row in message.files)
        if batch and (len(batch) >= _FRAME_MESSAGES_MAX or size + weight > _FRAME_ROOM_BYTES):
            frames.append(batch)
            batch, size = [], 0
        batch.append(message)
        size += weight
    if batch:
        frames.append(batch)
    return frames
