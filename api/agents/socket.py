"""One agent's socket: reads and sends what its conversation asks for, and keeps the time.

Rules: what waits is bounded (frames at work, messages to send, questions for output), and an agent that
exceeds it is sent away, not served slower for ever; messages of one loop turn leave in one frame; frames that
came together let others have their turn. What is said, and why, is the conversation's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, MutableMapping
from typing import Any, Protocol

from starlette.types import Receive, Send

from api.agents.beside import Beside
from api.agents.conversation import Conversation
from api.agents.effects import (
    CatchUp,
    Close,
    Commit,
    Effect,
    Fit,
    Greeted,
    Leave,
    Look,
    NoFrame,
    NoOutcome,
    Propose,
    Push,
    Question,
    Read,
    Register,
    Relevant,
    Report,
    Tail,
)
from api.agents.fitness import Fitness
from api.agents.large_frames import Socket
from api.agents.ownership import relevant, strangers
from api.ports import NoLeaderError, OverloadedError, Scheduler, UnavailableError
from api.threads import INLINE_BYTES
from api.turns import Turns
from scheduler import protocol as p
from scheduler.words.commands import Command
from scheduler.words.outcomes import Outcome

log = logging.getLogger("cronclave.agents")

CATCH_UP_S = 3.0
PROPOSE_S = 10.0
FRAMES_AT_WORK_MAX = 64
FRAMES_A_TURN_MAX = 20  #: that came together, before others have their turn
OUTBOX_MAX = 50_000
FRAME_BYTES_SOFT = p.FRAME_BYTES_MAX // 4
SEND_S = 10.0
TAILS_MAX = 100

_RETRY = (NoLeaderError, OverloadedError, UnavailableError)


class Host(Protocol):
    """What the sockets of a node share."""

    scheduler: Scheduler
    turns: Turns
    fitness: Fitness
    beside: Beside

    def register(self, socket: AgentSocket) -> None:
        """Its agent has it from now on."""
        ...


class AgentSocket:
    """The life of one socket; `run` returns when it is over."""

    def __init__(
        self, host: Host, conversation: Conversation, receive: Receive, send: Send, socket: Socket | None
    ) -> None:
        self.conversation = conversation
        self.closed = asyncio.Event()
        self._host = host
        self._scheduler = host.scheduler
        self._receive = receive
        self._send = send
        self._socket = socket  #: None: not one of this product's server
        self._outbox: list[p.Message] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._abandoned = False
        self._reader: asyncio.Task[None] | None = None
        self._listens_s: float | None = None  #: since then; None: it does something else
        self._frames = 0
        self._at_work = 0  #: frames
        self._room = asyncio.Event()  #: a frame is no longer at work
        self._tails: dict[int, asyncio.Future[p.TailChunk | None]] = {}
        self._tail_number = 0

    @property
    def disconnected(self) -> bool:
        """Whether the state knows already that this connection is over."""
        return self.conversation.is_given_up

    def silent_ms(self, now_s: float) -> float:
        """How long the agent has said nothing while it was listened to."""
        if self._listens_s is None:
            return 0.0
        if self._is_in_line:
            self._listens_s = now_s
        return (now_s - self._listens_s) * 1000

    @property
    def _is_in_line(self) -> bool:
        return self._socket is not None and self._socket.is_in_line

    # -- what others tell it --------------------------------------------------------------------

    def perform(self, effects: Iterable[Effect]) -> None:
        """In this order, at once."""
        for effect in effects:
            match effect:
                case Push(message):
                    self.push(message)
                case Leave(reason, detail):
                    self.leave(reason, detail)
                case Close():
                    self.drop()
                case Greeted():
                    if self._socket is not None:
                        self._socket.greeted()
                case Register():
                    self._host.register(self)
                case Look() | Propose() | Report():
                    self._at_work += 1
                    self._host.beside.start(self._work(effect), "agent-frame")
                case Tail(chunk):
                    answer = self._tails.get(chunk.request)
                    if answer is not None and not answer.done():
                        answer.set_result(chunk)

    def push(self, message: p.Message) -> None:
        """Send it with the next frame."""
        if self._closing:
            return
        self._outbox.append(message)
        if len(self._outbox) > OUTBOX_MAX:
            log.warning("agent %s takes its messages too slowly", self.conversation.name)
            self._outbox.clear()
            self.leave("refused", "too many messages wait for this agent")
        self._wake.set()

    def leave(self, reason: str, detail: str = "") -> None:
        """Tell the agent to go, then close."""
        if not self._closing:
            self._outbox.append(p.Leave(reason, detail))
            self.drop()

    def drop(self) -> None:
        """Close after what is in the outbox."""
        self._closing = True
        self._wake.set()

    def abandon(self) -> None:
        """Close at once: the other end is silent and would not read a farewell."""
        self._closing = True
        self._outbox.clear()
        self._abandoned = True
        if self._reader is not None:
            self._reader.cancel()

    async def tail(self, attempt: int, offset: int, limit: int, *, timeout_s: float) -> p.TailChunk | None:
        """Output of an attempt; None: the agent does not answer."""
        if self._closing or len(self._tails) >= TAILS_MAX:
            return None
        self._tail_number += 1
        number = self._tail_number
        answer: asyncio.Future[p.TailChunk | None] = asyncio.get_running_loop().create_future()
        self._tails[number] = answer
        self.push(p.TailRequest(number, attempt, offset, limit))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._tails[number]

    # -- its life -------------------------------------------------------------------------------

    async def run(self) -> None:
        await self._send({"type": "websocket.accept", "subprotocol": p.SUBPROTOCOL})
        reader = self._reader = asyncio.create_task(self._read(), name="agent-read")
        writer = asyncio.create_task(self._write(), name="agent-write")
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if writer.done():
                # Its end may have met an answer under way. What the agent said before it went is heard.
                error = writer.exception()
                gone = isinstance(error, OSError) and not isinstance(error, TimeoutError)
                last = reader if gone else None
            else:
                self.drop()
                last = None if self._abandoned else writer
            if last is not None:
                await asyncio.wait({last}, timeout=SEND_S)
        finally:
            self._closing = True
            for task in (reader, writer):
                task.cancel()
            results = await asyncio.gather(reader, writer, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception) and not isinstance(result, OSError | RuntimeError):
                    log.error("agent %s: the socket failed", self.conversation.name, exc_info=result)
            for answer in self._tails.values():
                if not answer.done():
                    answer.set_result(None)  # not cancelled: that would end the request that asks
            self.closed.set()

    async def _read(self) -> None:
        step = self.conversation.begin()
        while True:
            self.perform(step.effects)
            if step.then is None or (isinstance(step.then, Read) and self._closing):
                return
            answer = await self._answer(step.then)
            try:
                step = self.conversation.answer(answer)
            finally:
                if isinstance(answer, bytes) and self._socket is not None:
                    self._socket.decoded()

    async def _answer(self, question: Question[Any]) -> object:
        match question:
            case Read(within_s):
                try:
                    return await self._frame(within_s)
                except TimeoutError:
                    return NoFrame.LATE
            case Fit():
                return await self._host.fitness.why_not_soon()
            case CatchUp(index):
                return await self._scheduler.wait_index(index, timeout_s=CATCH_UP_S)
            case Relevant(hello):
                try:
                    return await relevant(self._scheduler, hello)
                except _RETRY as error:
                    return _no_outcome(error)
            case Commit(command):
                return await self._outcome_of(command)
        raise TypeError(f"nobody answers {question}")

    async def _frame(self, within_s: float | None) -> bytes | NoFrame:
        while self._at_work >= FRAMES_AT_WORK_MAX:
            self._room.clear()
            await self._room.wait()
        self._listens_s = time.monotonic()
        try:
            message = await self._heard(within_s)
        finally:
            self._listens_s = None
        self._frames += 1
        if self._frames % FRAMES_A_TURN_MAX == 0:
            await asyncio.sleep(0)
        if message["type"] != "websocket.receive":
            return NoFrame.ENDED
        data: bytes | None = message.get("bytes")
        if data is None:
            return NoFrame.TEXT
        if len(data) > INLINE_BYTES:
            await self._host.turns.mine()
        return data

    async def _heard(self, within_s: float | None) -> MutableMapping[str, Any]:
        while True:
            try:
                if within_s is None:
                    return await self._receive()
                async with asyncio.timeout(within_s):
                    return await self._receive()
            except TimeoutError:
                if not self._is_in_line:
                    raise

    async def _work(self, effect: Look | Propose | Report) -> None:
        """One frame's claims and reports."""
        try:
            if isinstance(effect, Look):
                agent = self.conversation.agent
                others = await strangers(self._scheduler, agent, effect.attempts)
                effects = self.conversation.looked(effect, others)
            elif isinstance(effect, Report):
                effects = self.conversation.reported(effect, await self._outcomes_of(effect.commands))
            else:
                effects = self.conversation.committed(effect, await self._outcomes_of(effect.commands))
            self.perform(effects)
        finally:
            self._at_work -= 1
            self._room.set()

    async def _outcomes_of(self, commands: tuple[Command, ...]) -> list[Outcome | NoOutcome]:
        found = await self._scheduler.propose_each(commands, timeout_s=PROPOSE_S)
        return [_no_outcome(each) if isinstance(each, Exception) else each for each in found]

    async def _outcome_of(self, command: Command) -> Outcome | NoOutcome:
        try:
            return await self._scheduler.propose(command, timeout_s=PROPOSE_S)
        except _RETRY as error:
            return _no_outcome(error)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outbox:
                batch = self._next_batch()
                async with asyncio.timeout(SEND_S):
                    await self._send({"type": "websocket.send", "bytes": p.encode(batch)})
            if self._closing:
                await self._send({"type": "websocket.close", "code": 1000, "reason": ""})
                return

    def _next_batch(self) -> list[p.Message]:
        """As many messages as fit one frame."""
        count = size = 0
        for message in self._outbox:
            size += _size(message)
            if count and (size > FRAME_BYTES_SOFT or count >= p.FRAME_MESSAGES_MAX):
                break
            count += 1
        batch = self._outbox[:count]
        del self._outbox[:count]
        return batch


def _no_outcome(error: Exception) -> NoOutcome:
    return NoOutcome(str(error)[:500])


def _size(message: p.Message) -> int:
    """A rough size of the message in a frame."""
    if isinstance(message, p.Assign | p.Reserved):
        return 500 + _bytes(str(message.work))
    if isinstance(message, p.Grant):
        values = (*message.environment.values(), *(value for _, value, _ in message.secrets))
        return 500 + sum(map(_bytes, values))
    return 200


def _bytes(text: str) -> int:
    """At most so many."""
    return len(text) if text.isascii() else 4 * len(text)
