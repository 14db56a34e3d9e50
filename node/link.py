"""The front's end of the bridge, and the node as the API sees it (api.ports.Scheduler)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.commits import CommitQueue
from api.history import AFTER_ALL, History
from api.ports import (
    Committed,
    NodeStatus,
    NoLeaderError,
    OverloadedError,
    PeerStatus,
    StorageLowError,
    UnavailableError,
)
from node import bridge
from node.clock import correction_ms, wall_base_ms
from node.grid import Grid
from node.haste import Haste
from node.index_watch import IndexWatch
from node.proposals import Proposals, known
from scheduler.store.connection import Store
from scheduler.words import codec
from scheduler.words.commands import Command
from scheduler.words.outcomes import Code, Outcome

log = logging.getLogger("cronclave.front")

CORE_SILENCE_MS = 1_000
WORD_PAUSE_S = 0.02  #: between two questions to the leader: strangers are their cause


class CoreLink:
    """Connection to the core. Its loss ends the front: the supervisor decides what follows."""

    def __init__(self, data: Path, status: NodeStatus) -> None:
        self._data = data
        self._status = status
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._path: Path | None = None
        self._generation = 0
        self._index = 0
        self._applied = IndexWatch()
        self._subscriptions: set[CommitQueue] = set()
        self.history = History()
        self._heard_s = time.monotonic()
        self._questions: dict[int, asyncio.Future[str]] = {}
        self._numbers = itertools.count(1)
        self._word: asyncio.Task[None] | None = None  #: the question to the leader that is under way
        self._next_word: asyncio.Task[None] | None = None  #: the one that has not left yet
        self._local = threading.local()
        self.grid = Grid()
        self._haste = Haste()
        self.proposals = Proposals(self._send_proposal, self._abandon, self.grid)
        self.on_commit: Callable[[Committed], None] = lambda committed: None
        self.certificates: Callable[[], Mapping[str, int]] = dict  #: the front's own: see NodeStatus
        self.on_status: Callable[[NodeStatus], None] = lambda status: None
        self.on_stop: Callable[[], None] = lambda: None

    async def connect(self, deadline_s: float = 30.0) -> None:
        """Until the core has welcomed this front."""
        self._loop = asyncio.get_running_loop()
        path = bridge.socket_path(self._data)
        give_up_s = time.monotonic() + deadline_s
        while True:
            try:
                self._reader, self._writer = await asyncio.open_unix_connection(path, limit=1 << 20)
                break
            except OSError:
                if time.monotonic() > give_up_s:
                    raise
                await asyncio.sleep(0.02)
        self._send(["hello", self.proposals.front])

    async def run(self) -> None:
        """Reads until the core is gone."""
        assert self._reader is not None
        decoder = bridge.Decoder()
        while data := await self._reader.read(1 << 20):
            self._heard_s = time.monotonic()
            for message in decoder.feed(data):
                self._take(message)
            self._applied.reached(self._index)

    async def beat(self) -> None:
        while True:
            self._send(["beat"])
            await asyncio.sleep(bridge.BEAT_S)

    # -- api.ports.Scheduler ---------------------------------------------------------------------

    def status(self) -> NodeStatus:
        """As the core last told; a core that is silent can vouch for nothing."""
        silent_ms = int((time.monotonic() - self._heard_s) * 1000)
        if silent_ms < CORE_SILENCE_MS or not self._status.quorum:
            return self._status
        lag_ms = self._status.commit_lag_ms
        return dataclasses.replace(
            self._status, quorum=False, ready=False,
            commit_lag_ms=None if lag_ms is None else lag_ms + silent_ms,
        )  # fmt: skip

    @property
    def index(self) -> int:
        return self._index

    async def propose(self, command: Command, *, timeout_s: float = 10.0) -> Outcome:
        return await self._begin(command, timeout_s)

    async def propose_each(
        self, commands: Sequence[Command], *, timeout_s: float = 10.0
    ) -> list[Outcome | Exception]:
        begun: list[asyncio.Future[Outcome] | Exception] = []
        for command in commands:
            try:
                begun.append(self._begin(command, timeout_s))
            except (OverloadedError, UnavailableError) as error:
                begun.append(error)
        waiting = [each for each in begun if isinstance(each, asyncio.Future)]
        try:
            if waiting:
                await asyncio.wait(waiting)
        finally:  # of whoever asks no more, nothing is proposed that has not left
            for each in waiting:
                each.cancel()
        return [each if isinstance(each, Exception) else _came_of(each) for each in begun]

    def _begin(self, command: Command, timeout_s: float) -> asyncio.Future[Outcome]:
        """Raises OverloadedError, UnavailableError."""
        if codec.needs(command) > self._status.format:
            what = f"{type(command).__name__} needs format {codec.needs(command)}"
            said = f"{what}, the cluster is at format {self._status.format}"
            return known(Outcome(Code.FORMAT, said))
        if self._status.storage_low and command.grows:
            raise StorageLowError("a majority of the nodes is short of disk; nothing new is taken in")
        return self.proposals.begin(command, timeout_s, can_wait=self._haste.can_wait(command))

    async def barrier(self, *, timeout_s: float = 5.0) -> None:
        await self.proposals.barrier(timeout_s)

    async def catch_up(self, *, timeout_s: float = 5.0) -> None:
        """Callers share the next question to the leader that has not left: one is under way at a time."""
        if self._next_word is None:
            self._next_word = asyncio.create_task(self._hear_word(self._word), name="catch-up")
            self._next_word.add_done_callback(_heard)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._next_word)
        except TimeoutError:
            raise NoLeaderError("no leader answered in time") from None
        except ValueError as error:
            raise NoLeaderError(str(error)) from None

    async def _hear_word(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
            await asyncio.sleep(WORD_PAUSE_S)
        self._word, self._next_word = self._next_word, None  # whoever comes from now on needs a later one
        await self._ask("catch_up", [])

    async def wait_index(self, index: int, *, timeout_s: float) -> bool:
        if self._index >= index:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._applied.wait(index)
        except TimeoutError:
            return False
        return True

    @contextlib.contextmanager
    def read(self) -> Iterator[Store]:
        store = self.reader()
        with store.snapshot():
            yield store

    def reader(self) -> Store:
        """The calling thread's reader, reopened after the state was replaced by a copy."""
        store: Store | None = getattr(self._local, "store", None)
        if store is not None and self._local.generation == self._generation:
            return store
        if self._path is None:
            raise UnavailableError("this node has not opened its state yet")
        if store is not None:
            store.close()
        generation = self._generation
        self._local.store = Store.open_reader(self._path, on_damage=self.suspect)
        self._local.generation = generation
        return self._local.store  # type: ignore[no-any-return]  # threading.local is untyped

    def suspect(self, what: str) -> None:
        if self._loop is not None:
            told = f"a reader met: {what}"[: bridge.TEXT_LETTERS_MAX]
            self._loop.call_soon_threadsafe(self._send, ["damaged", told])

    def subscribe(self, *, limit: int = 10_000) -> CommitQueue:
        subscription = CommitQueue(limit, self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    async def transfer(self, target: str | None) -> str:
        return await self._ask("transfer", [target])

    async def check_member(self, name: str) -> None:
        await self._ask("check_member", [name])

    async def ask_member(self, name: str, address: str) -> str:
        return await self._ask("ask_member", [name, address])

    async def add_member(self, name: str, address: str, zone: str, url: str, uid: str) -> None:
        await self._ask("add_member", [name, address, zone, url, uid])

    async def remove_member(self, name: str) -> None:
        await self._ask("remove_member", [name])

    def now_ms(self) -> int:
        """The time for agents and clients: this node's, put right where the peers show it to be wrong."""
        return int(time.time() * 1000) + correction_ms(self._status, wall_base_ms())

    def hand_over(self, reason: str, target: str) -> None:
        log.warning("handing leadership to %s: %s", target, reason)
        self._send(["ask", 0, "transfer", [target]])

    # -- the bridge ------------------------------------------------------------------------------

    def _send(self, message: list[Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(bridge.encode(message))

    def _send_proposal(self, sequence: int, frame: bytes, can_wait: bool) -> None:
        self._send(["propose", sequence, frame, can_wait])

    def _abandon(self, sequence: int) -> None:
        self._send(["abandon", sequence])

    async def _ask(self, what: str, arguments: list[Any]) -> str:
        number = next(self._numbers)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._questions[number] = future
        self._send(["ask", number, what, arguments])
        try:
            async with asyncio.timeout(15.0):
                return await future
        except TimeoutError:
            raise NoLeaderError(f"{what}: no answer in time; the outcome is unknown") from None
        finally:
            self._questions.pop(number, None)

    def _take(self, message: list[Any]) -> None:
        kind = message[0]
        if kind == "commit":
            self._take_commit(*message[1:])
        elif kind == "status":
            self._take_status(message[1])
        elif kind == "answer":
            self._take_answer(*message[1:])
        elif kind == "refused":
            self.proposals.refuse(*message[1:])
        elif kind == "stop":
            self.on_stop()
        elif kind == "welcome":
            self._path = Path(message[1]["path"])
            self._index = message[1]["index"]
            self.history.begin((message[1]["since"], AFTER_ALL))
            for _, stamp_ms, events in message[2]:
                self.history.add(stamp_ms, [e for packed in events for e in codec.decode_events(packed)])
            self.proposals.resend()
        elif kind == "reopen":
            self._path = Path(message[1])
            self._generation += 1
            self._index = max(self._index, message[2])
            self.history.begin((self._index, AFTER_ALL))
            for subscription in self._subscriptions:
                subscription.lose()
        else:
            raise ValueError(f"unknown bridge message {kind!r}")

    def _take_commit(self, index: int, stamp_ms: int, outcomes: list[list[Any]], events: list[bytes]) -> None:
        self._index = index
        for sequence, encoded in outcomes:
            self.proposals.resolve(sequence, encoded)
        decoded = [event for packed in events for event in codec.decode_events(packed)]
        committed = Committed(index, stamp_ms, decoded)
        self.grid.heard(len(decoded))
        self._haste.heard(committed)
        self.history.add(stamp_ms, decoded)
        self.on_commit(committed)
        for subscription in self._subscriptions:
            subscription.offer(committed)

    def _take_status(self, fields: dict[str, Any]) -> None:
        peers = tuple(PeerStatus(**peer) for peer in fields.pop("peers"))
        certificates = {**fields.pop("certificates"), **self.certificates()}
        leadership = (self._status.leader, self._status.term)
        self._status = NodeStatus(**fields, certificates=certificates, peers=peers)
        self.grid.follow(self._status)
        if leadership != (self._status.leader, self._status.term):
            self.proposals.leader_changed()
        self.on_status(self._status)

    def _take_answer(self, number: int, answer: str, text: str) -> None:
        future = self._questions.pop(number, None)
        if future is None or future.done():
            return
        match bridge.Answer(answer):
            case bridge.Answer.DONE:
                future.set_result(text)
            case bridge.Answer.NO_LEADER:
                future.set_exception(NoLeaderError(text))
            case bridge.Answer.REFUSED:
                future.set_exception(ValueError(text))


def _came_of(done: asyncio.Future[Outcome]) -> Outcome | Exception:
    error = done.exception()
    if error is None:
        return done.result()
    if isinstance(error, NoLeaderError):
        return error
    raise error  # a mistake of ours


def _heard(word: asyncio.Task[None]) -> None:
    """Whoever asked may have gone: what they did not hear is no error of ours."""
    if not word.cancelled():
        word.exception()
