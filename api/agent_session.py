"""One agent's socket: the talk of `scheduler.protocol`, as seen by the node.

Rules: what waits is bounded (frames at work, messages to send), and an agent that exceeds it is sent away,
not served slower for ever; messages of one loop turn leave in one frame; a claim or a report without an
outcome (no leader) is not answered: the agent sends it again. A node that has not applied what the agent
has seen answers nothing about attempts until it has (rule 5).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from typing import TYPE_CHECKING

from starlette.types import Receive, Send

from api import recount
from api.access import Principal
from api.agent_bounds import cut, why_unsound
from api.agent_hello import unsound_hello, why_not_its_token, why_refused
from api.agent_ownership import relevant, strangers
from api.ports import NoLeaderError, OverloadedError, UnavailableError
from api.threads import INLINE_BYTES
from scheduler import protocol as p
from scheduler.commands import Command, ConnectAgent, Finish, Outcome, ReportRunning, Start
from scheduler.store import agents as agent_rows
from scheduler.store import restores
from scheduler.store import tokens as token_rows

if TYPE_CHECKING:
    from api.gateway import Gateway
    from api.large_frames import Socket

log = logging.getLogger("cronclave.gateway")

HELLO_S = 10.0
CATCH_UP_S = 3.0
PROPOSE_S = 10.0
FRAMES_AT_WORK_MAX = 64
FRAMES_A_TURN_MAX = 20  #: that came together, before others have their turn
OUTBOX_MAX = 50_000
FRAME_BYTES_SOFT = p.FRAME_BYTES_MAX // 4
SEND_S = 10.0
TAILS_MAX = 100

Work = p.Claim | p.Running | p.Finished
_RETRY = (NoLeaderError, OverloadedError, UnavailableError)


class AgentSession:
    """The life of one socket; `run` returns when it is over."""

    def __init__(
        self, gateway: Gateway, receive: Receive, send: Send, principal: Principal, socket: Socket | None
    ) -> None:
        self._gateway = gateway
        self.principal = principal
        self._socket = socket  #: None: not one of this product's server
        self._scheduler = gateway.scheduler
        self._receive = receive
        self._send = send
        self.hello: p.Hello = _NO_HELLO
        self.agent = 0  #: id in the state, once registered
        self.since = 0  #: index of the state that it was registered with
        self.disconnected = False  #: the state knows already that this connection is over
        self.ended = asyncio.Event()
        self._outbox: list[p.Message] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._abandoned = False
        self._reader: asyncio.Task[None] | None = None
        self.heard_s = time.monotonic()
        self._seen = 0
        self._frames = 0
        self._nonce = secrets.token_bytes(p.NONCE_BYTES)
        self._pushed: dict[int, str] = {}
        self._at_work = asyncio.Semaphore(FRAMES_AT_WORK_MAX)
        self._tails: dict[int, asyncio.Future[p.TailChunk]] = {}
        self._tail_number = 0

    # -- what the gateway calls -----------------------------------------------------------------

    @property
    def said_hello(self) -> bool:
        return self.hello is not _NO_HELLO

    def push(self, message: p.Message) -> None:
        """Send it with the next frame."""
        if self._closing:
            return
        self._outbox.append(message)
        if len(self._outbox) > OUTBOX_MAX:
            log.warning("agent %s takes its messages too slowly", self.hello.name)
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

    def first_time(self, attempt: int, state: str) -> bool:
        """Whether this attempt was not pushed in this state yet; notes it."""
        if self._pushed.get(attempt) == state:
            return False
        self._pushed[attempt] = state
        return True

    def ended_attempt(self, attempt: int, state: str) -> None:
        """The state ended an attempt. One without a grant was taken back: the agent may forget it."""
        known = self._pushed.pop(attempt, None)
        if known is not None and state == "revoked":
            self.push(p.Refuse(attempt, "", "revoked"))

    async def tail(self, attempt: int, offset: int, limit: int, *, timeout_s: float) -> p.TailChunk | None:
        if self._closing or len(self._tails) >= TAILS_MAX:
            return None
        self._tail_number += 1
        number = self._tail_number
        answer: asyncio.Future[p.TailChunk] = asyncio.get_running_loop().create_future()
        self._tails[number] = answer
        self.push(p.TailRequest(number, attempt, offset, limit))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._tails[number]

    # -- the talk -------------------------------------------------------------------------------

    async def run(self) -> None:
        await self._send({"type": "websocket.accept", "subprotocol": p.SUBPROTOCOL})
        self.push(p.Challenge(self._nonce))
        reader = self._reader = asyncio.create_task(self._read(), name="agent-read")
        writer = asyncio.create_task(self._write(), name="agent-write")
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if not writer.done() and not self._abandoned:
                self.drop()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SEND_S):
                        await asyncio.wait({writer})
        finally:
            self._closing = True
            for task in (reader, writer):
                task.cancel()
            results = await asyncio.gather(reader, writer, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception) and not isinstance(result, OSError | RuntimeError):
                    log.error("agent %s: the socket failed", self.hello.name, exc_info=result)
            for answer in self._tails.values():
                answer.cancel()
            self.ended.set()

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(HELLO_S):
                first = await self._frame()
        except TimeoutError:
            return self.leave("refused", "no Hello came")
        if first is None:
            return None
        if not first or not isinstance(first[0], p.Hello):
            return self.leave("refused", "the first message must be Hello")
        if not await self._greet(first[0]):
            return None
        messages: list[p.Message] | None = first[1:]
        while messages is not None and not self._closing:
            if messages:
                await self._take(messages)
            messages = await self._frame()
        return None

    async def _frame(self) -> list[p.Message] | None:
        message = await self._receive()
        self.heard_s = time.monotonic()
        self._frames += 1
        if self._frames % FRAMES_A_TURN_MAX == 0:
            await asyncio.sleep(0)
        if message["type"] != "websocket.receive":
            return None
        data = message.get("bytes")
        if data is None:
            self.leave("refused", "text frames are not part of this protocol")
            return None
        if len(data) > INLINE_BYTES:
            await self._gateway.turns.mine()
        try:
            return p.decode(data, values_max=p.FRAME_VALUES_MAX)
        except p.ProtocolError as error:
            self.leave("refused", str(error)[:500])
            return None
        finally:
            if self._socket is not None:
                self._socket.decoded()

    async def _greet(self, hello: p.Hello) -> bool:
        unsound = unsound_hello(hello)
        if unsound is not None:
            self.leave("refused", unsound)
            return False
        self.hello = hello
        unfit = await self._gateway.fit_soon()
        if unfit is not None:
            self.leave(unfit)
            return False
        status = self._scheduler.status()
        with self._scheduler.read() as store:
            lineage, restore = restores.lineage(store), restores.current(store)
            refusal = why_refused(
                hello, self._nonce, cluster=status.cluster, restores=status.restores, lineage=lineage
            )
            if refusal is None:
                belongs_to = None if self.principal.holder else token_rows.bound_to(store, hello.name)
                refusal = why_not_its_token(hello, self.principal, belongs_to)
            if refusal is None and not agent_rows.is_known(store, hello.installation, hello.name):
                refusal = self._gateway.newcomers.why_not_now(self.principal.name)
        if refusal is not None:
            self.leave(*refusal)
            return False
        if self._socket is not None:
            self._socket.greeted()
        self._seen = hello.index
        if not await self._caught_up():
            return False
        if restore is not None and recount.needed(hello, restore):
            try:
                untold = await recount.recount(
                    hello, status.cluster, restore, self._ask,
                    lambda adopt: self._scheduler.propose(adopt, timeout_s=PROPOSE_S),
                )  # fmt: skip
            except _RETRY as error:
                untold = str(error)[:500]
            if untold is not None:
                self.leave("refused", untold)
                return False
        try:
            held = await relevant(self._scheduler, hello)
        except _RETRY as error:
            self.leave("no_quorum", str(error)[:500])
            return False
        command = ConnectAgent(
            name=hello.name,
            installation=hello.installation,
            session=hello.session,
            boot_id=hello.boot_id,
            zone=hello.zone,
            pool=hello.pool,
            labels=_canonical(hello.labels),
            slots=hello.slots,
            version=hello.software,
            node=status.node,
            held=held,
            cloud_id=hello.cloud_id,
        )
        try:
            outcome = await self._scheduler.propose(command, timeout_s=PROPOSE_S)
        except _RETRY as error:
            self.leave("no_quorum", str(error)[:500])
            return False
        if not outcome.ok:
            self.leave("fenced" if outcome.code == "fenced" else "refused", outcome.detail or outcome.code)
            return False
        self.agent = _int(outcome, "agent")
        if self.principal.role == "admin":
            log.warning(
                "agent %s has an administrator's token, which its jobs may read: give it one of its own "
                "(cronclave token create --role agent %s)", hello.name, hello.name,
            )  # fmt: skip
        now = self._scheduler.status()
        self.push(
            p.Welcome(
                agent=self.agent,
                cluster=now.cluster,
                restores=now.restores,
                index=self._scheduler.index,
                node=now.node,
                addresses=self._addresses(),
                lineage=lineage,
            )
        )
        for message in self._gateway.register(self):
            self.push(message)
        return True

    async def _ask(self, question: p.Recount) -> p.Ran | None:
        """Before the Welcome the agent answers this and says nothing else."""
        self.push(question)
        try:
            async with asyncio.timeout(HELLO_S):
                messages = await self._frame()
        except TimeoutError:
            return None
        answer = messages[0] if messages else None
        if not isinstance(answer, p.Ran) or why_unsound(answer) is not None or answer.page != question.page:
            return None
        return answer

    def _addresses(self) -> tuple[str, ...]:
        """Base URLs of all nodes, those of the agent's zone first."""
        status = self._scheduler.status()
        urls = self._gateway.settings.urls
        found: dict[str, bool] = {}
        own = urls.get(status.node)
        if own:
            found[own] = status.zone == self.hello.zone
        for peer in status.peers:
            url = peer.url or urls.get(peer.node, "")
            if url:
                found.setdefault(url, peer.zone == self.hello.zone)
        for url in urls.values():
            found.setdefault(url, False)
        return tuple(sorted(found, key=lambda url: not found[url]))

    async def _caught_up(self) -> bool:
        if self._scheduler.index >= self._seen:
            return True
        if await self._scheduler.wait_index(self._seen, timeout_s=CATCH_UP_S):
            return True
        self.leave("behind", f"this node is at {self._scheduler.index}, the agent has seen {self._seen}")
        return False

    async def _take(self, messages: list[p.Message]) -> None:
        """Answer one frame. Commands of a frame are proposed at once, together, beside the reading."""
        work: list[Work] = []
        for message in messages:
            unsound = why_unsound(message)
            if unsound is not None:
                self.leave("refused", unsound)
                return
            if isinstance(message, p.Claim | p.Running | p.Finished):
                work.append(message)
            elif isinstance(message, p.Ping):
                self._seen = max(self._seen, message.index)
                if not await self._caught_up():
                    return
                renews = self._gateway.fit() is None
                self.push(p.Pong(message.sent_ms, self._scheduler.now_ms(), self._scheduler.index, renews))
            elif isinstance(message, p.TailChunk):
                answer = self._tails.get(message.request)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            else:
                self.drop()  # Goodbye; Ran has its time before the Welcome
        if work and await self._caught_up():
            await self._at_work.acquire()
            self._gateway.keep(self._answer(work), "agent-frame")

    async def _answer(self, work: list[Work]) -> None:
        try:
            work = await self._own(work)
            if len(work) == 1:
                outcomes: list[Outcome | None] = [await self._propose(self._command(work[0]))]
            else:
                outcomes = await asyncio.gather(*[self._propose(self._command(message)) for message in work])
            acked: list[int] = []
            for message, outcome in zip(work, outcomes, strict=True):
                if outcome is None:
                    continue
                if isinstance(message, p.Claim):
                    self._answer_claim(message, outcome)
                else:
                    # A refused report can never matter again: its attempt ended, or is no longer known.
                    acked.append(message.event)
                    if isinstance(message, p.Finished):
                        self._pushed.pop(message.attempt, None)
            if acked:
                self.push(p.Ack(tuple(acked), self._scheduler.index))
        finally:
            self._at_work.release()

    async def _own(self, work: list[Work]) -> list[Work]:
        """What may be proposed; for the rest the agent gets the answer that the log would give."""
        asked = {message.attempt for message in work} - self._pushed.keys()
        others = await strangers(self._scheduler, self.agent, asked) if asked else frozenset()
        if not others:
            return work
        acked: list[int] = []
        for message in work:
            if message.attempt not in others:
                continue
            if isinstance(message, p.Claim):
                self.push(p.Refuse(message.attempt, message.claim, "superseded"))
            else:
                acked.append(message.event)
        if acked:
            self.push(p.Ack(tuple(acked), self._scheduler.index))
        return [message for message in work if message.attempt not in others]

    def _command(self, message: Work) -> Command:
        if isinstance(message, p.Claim):
            return Start(message.attempt, self.agent, self.hello.session, message.claim)
        if isinstance(message, p.Running):
            return ReportRunning(message.attempt, self.agent, message.started_ms)
        message = cut(message)
        return Finish(
            attempt=message.attempt,
            agent=self.agent,
            started_ms=message.started_ms,
            finished_ms=message.finished_ms,
            exit_code=message.exit_code,
            reason=message.reason,
            signal=message.signal,
            detail=message.detail,
            tail=message.tail,
        )

    async def _propose(self, command: Command) -> Outcome | None:
        try:
            return await self._scheduler.propose(command, timeout_s=PROPOSE_S)
        except _RETRY:
            return None  # the agent sends it again

    def _answer_claim(self, message: p.Claim, outcome: Outcome) -> None:
        if outcome.ok:
            fence = _int(outcome, "fence")
            self.push(p.Grant(message.attempt, message.claim, fence, self._scheduler.index))
        elif outcome.code == "not_connected":
            self.leave("behind", "the cluster gave this connection up: register again")
        else:
            self._pushed.pop(message.attempt, None)
            reason = outcome.code if outcome.code in ("revoked", "superseded") else "ended"
            self.push(p.Refuse(message.attempt, message.claim, reason))

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


def _canonical(labels: dict[str, str]) -> bytes:
    return json.dumps(labels, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _int(outcome: Outcome, name: str) -> int:
    value = (outcome.value or {}).get(name)
    if not isinstance(value, int):
        raise TypeError(f"the outcome has no {name}: {outcome}")
    return value


def _size(message: p.Message) -> int:
    """A rough size of the message in a frame."""
    if isinstance(message, p.Assign):
        return 500 + sum(map(_bytes, message.environment.values())) + _bytes(str(message.work))
    return 200


def _bytes(text: str) -> int:
    """At most so many."""
    return len(text) if text.isascii() else 4 * len(text)


_NO_HELLO = p.Hello(0, "", "", "", "", "", "", {}, 1, "", 0, "", 0, ())
