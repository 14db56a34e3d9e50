"""One node without consensus: `api.ports.Scheduler` over the real machine and a real SQLite file.

What it leaves out is the log between nodes: a proposal is applied at once, in order. All else (codec,
machine, store, events, plan) is the product's own code. A test may take the quorum away, or let the node
lag.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from api.commits import CommitQueue
from api.history import AFTER_ALL, History
from api.ports import (
    Committed,
    NodeStatus,
    NoLeaderError,
    OverloadedError,
    PeerStatus,
    UnavailableError,
)
from scheduler import formats
from scheduler.machine import Machine
from scheduler.store.connection import Store
from scheduler.ticks import tzdata_version
from scheduler.words import codec, sizes
from scheduler.words.commands import Command, Lead, PutToken
from scheduler.words.outcomes import Outcome
from tests.scheduler.states import opened

CLUSTER = "c0ffee"
ADMIN_TOKEN = "admin-token"


class SingleNode:
    """The stand-in. Use it in one event loop; `read` works in any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        node: str = "node-1",
        zone: str = "zone-a",
        peers: Sequence[PeerStatus] = (),
        founded: bool = True,
    ) -> None:
        self.path = folder / "state.db"
        self.store = opened(self.path, CLUSTER)
        self.machine = Machine(self.store, lambda members: [self.node, *(peer.node for peer in self.peers)])
        self.node = node
        self.zone = zone
        self.peers = tuple(peers)
        self.removed: set[str] = set()
        self.suspected: list[str] = []
        self.quorum = True
        self.leader = node
        self.lag_ms: int | None = 0
        self.skew_ms = 0
        self.subscriptions: set[CommitQueue] = set()
        self.history = History()
        self.unheard: list[Command] = []  #: committed by the others; heard of with the next barrier
        self.answers: dict[str, str] = {}  #: which node answers at which address
        self.deaf = 0  #: so many wishes for the cluster have no effect
        self.calls: list[tuple[str, object]] = []  #: what was asked of the cluster
        self._entry = 0
        self._seq = 0
        self._local = threading.local()
        self._moved = asyncio.Condition()
        self.apply(Lead(node, zone, 1))
        if founded:
            self.apply(PutToken("admin", hashlib.sha256(ADMIN_TOKEN.encode()).digest(), "admin"))

    def close(self) -> None:
        self.store.close()

    # -- the log's part -------------------------------------------------------------------------

    def apply(self, *commands: Command) -> list[Outcome]:
        """Commit these commands as one entry."""
        self._seq += 1
        self._entry += 1
        frame = codec.encode_frame(
            codec.Frame("front", self._seq, self._seq, tuple(codec.encode_command(c) for c in commands))
        )
        entry = self.machine.apply_entry(
            applied=(self._entry, 1, self._entry - 1, 1, b""), stamp_ms=self.now_ms(), frames=[frame]
        )
        committed = Committed(entry.index, entry.stamp_ms, entry.events)
        self.history.add(entry.stamp_ms, entry.events)
        for subscription in list(self.subscriptions):
            subscription.offer(committed)
        return entry.frames[0][2]

    async def _notify(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    # -- api.ports.Scheduler ----------------------------------------------------------------------

    def status(self) -> NodeStatus:
        state = self.machine.state
        return NodeStatus(
            cluster=CLUSTER,
            node=self.node,
            uid="0" * 32,
            zone=self.zone,
            state=("leader" if self.leader == self.node else "follower") if self.quorum else "candidate",
            leader=self.leader if self.quorum else None,
            leader_url=None,
            term=1,
            epoch=state.epoch,
            index=state.idx,
            commit_lag_ms=self.lag_ms,
            quorum=self.quorum,
            ready=self.quorum and self.lag_ms is not None and self.lag_ms < 1_000,
            state_hash=state.hash.hex(),
            ledger_head=state.ledger_head.hex(),
            format=state.format,
            format_target=state.target_format,
            format_min=formats.oldest(),
            format_max=formats.newest(),
            version="0.1.0",
            tzdata=state.tzdata,
            tzdata_installed=tzdata_version(),
            restores=state.restores,
            free_bytes=1 << 33,
            wal_bytes=0,
            log_bytes=0,
            log_entries=self._entry,
            address="127.0.0.1:1",
            url="http://127.0.0.1:1",
            peers=self.peers,
        )

    @property
    def index(self) -> int:
        return self.machine.state.idx

    async def propose(self, command: Command, *, timeout_s: float = 10.0) -> Outcome:
        if not self.quorum:
            raise NoLeaderError("no leader answered in time")
        written = sizes.written(command)
        if isinstance(written, Outcome):
            return written
        outcome = self.apply(command)[0]
        await asyncio.sleep(0)  # who listens to commits has heard of it before whoever asked goes on
        await self._notify()
        return outcome

    async def propose_each(
        self, commands: Sequence[Command], *, timeout_s: float = 10.0
    ) -> list[Outcome | Exception]:
        found: list[Outcome | Exception] = []
        for command in commands:
            try:
                found.append(await self.propose(command, timeout_s=timeout_s))
            except (NoLeaderError, OverloadedError, UnavailableError) as error:
                found.append(error)
        return found

    async def barrier(self, *, timeout_s: float = 5.0) -> None:
        if not self.quorum:
            raise NoLeaderError("no quorum for a linearizable read")
        await asyncio.sleep(0)
        if self.unheard:
            self.apply(*self.unheard)
            self.unheard.clear()

    async def catch_up(self, *, timeout_s: float = 5.0) -> None:
        await self.barrier(timeout_s=timeout_s)

    async def wait_index(self, index: int, *, timeout_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self.index >= index)
        return self.index >= index

    @contextlib.contextmanager
    def read(self) -> Iterator[Store]:
        store = self.reader()
        with store.snapshot():
            yield store

    def reader(self) -> Store:
        store: Store | None = getattr(self._local, "store", None)
        if store is None:
            store = self._local.store = Store.open_reader(self.path)
        return store

    def subscribe(self, *, limit: int = 10_000) -> CommitQueue:
        subscription = CommitQueue(limit, self._forget)
        self.subscriptions.add(subscription)
        return subscription

    def _forget(self, subscription: CommitQueue) -> None:
        self.subscriptions.discard(subscription)

    async def transfer(self, target: str | None) -> str:
        self.calls.append(("transfer", target))
        if self._drops():
            return ""
        self.leader = target or next(peer.node for peer in self.peers)
        return self.leader

    async def check_member(self, name: str) -> None:
        if name in (self.node, *(peer.node for peer in self.peers)):
            raise ValueError(f"{name} is a member already")
        if name in self.removed:
            raise ValueError(f"{name} was removed; names are never used again")

    async def ask_member(self, name: str, address: str) -> str:
        if self.answers.get(address) != name:
            raise ValueError(f"nobody answers as a node at {address}")
        return f"uid-of-{name}"

    async def add_member(self, name: str, address: str, zone: str, url: str, uid: str) -> None:
        await self.check_member(name)
        self.calls.append(("add_member", (name, address, zone, url, uid)))
        if self._drops():
            return
        self.peers = (*self.peers, peer(name, zone, address=address, url=url))

    async def remove_member(self, name: str) -> None:
        self.calls.append(("remove_member", name))
        if self._drops():
            return
        self.peers = tuple(peer for peer in self.peers if peer.node != name)
        self.removed.add(name)

    def _drops(self) -> bool:
        dropped = self.deaf > 0
        self.deaf -= dropped
        return dropped

    def suspect(self, what: str) -> None:
        self.suspected.append(what)

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.skew_ms

    def forget_history(self) -> None:
        """As after a restart of the front: what came before is not kept."""
        self.history.begin((self.index, AFTER_ALL))


def peer(node: str, zone: str, **changes: object) -> PeerStatus:
    found = PeerStatus(
        node, zone, "127.0.0.1:1", "http://127.0.0.1:1", True, True, 7, 3, 0, 1 << 33, "2025b", 1, 1
    )
    return dataclasses.replace(found, **changes)  # type: ignore[arg-type]  # the caller names fields
