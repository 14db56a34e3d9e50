"""The small protocol through which the API asks and tells: everything it may know of its node.

`node.front` implements it over the bridge; tests of the API implement it over an in-memory state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from api.history import History
from scheduler.store.connection import Store
from scheduler.words.commands import Command
from scheduler.words.events import Event
from scheduler.words.outcomes import Outcome

E = TypeVar("E", bound=Event)


class NoLeaderError(Exception):
    """No outcome in time: no leader or no quorum. The command may still be committed later."""


class OverloadedError(Exception):
    """Too much waits already; nothing was proposed. With `retry_after_s` it is known for how long."""

    def __init__(self, detail: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class UnavailableError(Exception):
    """The node refuses outside writes for now (disk short, stopping). Nothing was proposed."""


class StorageLowError(UnavailableError):
    """A majority of the nodes is short of disk: nothing new is taken in. What runs goes on."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    node: str
    zone: str
    address: str  #: Raft address host:port
    url: str  #: base URL of its API
    reachable: bool
    voter: bool
    match: int  #: Raft log index known to be on it (leader only, else 0)
    silent_ms: int
    clock_offset_ms: int | None
    free_bytes: int | None
    tzdata: str | None = None  #: version of the zone data that it has installed, once it told
    format_min: int = 0  #: oldest and newest format that it supports; 0: not met yet
    format_max: int = 0


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """This node as it last knew itself."""

    cluster: str
    node: str
    uid: str
    zone: str
    state: str  #: leader | follower | candidate | joining | stopping
    leader: str | None
    leader_url: str | None
    term: int
    epoch: int
    index: int
    commit_lag_ms: int | None  #: age of the newest word on the commit index; None: no leader was heard of yet
    quorum: bool
    ready: bool  #: leads or follows a quorum, is caught up, and trusts its state
    state_hash: str
    ledger_head: str
    format: int
    version: str
    tzdata: str
    free_bytes: int
    wal_bytes: int
    log_bytes: int
    log_entries: int
    restores: int = 0
    tzdata_installed: str = ""  #: on this node; `tzdata` is the version in force
    format_target: int = 0  #: the activated format; above `format` while the migration runs
    format_min: int = 0
    format_max: int = 0
    storage_low: bool = False  #: a majority of the nodes is short of disk
    wall_base_ms: int = 0  #: its wall clock minus the host's monotonic one, when the offsets were told
    address: str = ""  #: its own Raft address host:port
    url: str = ""  #: base URL of its own API
    certificates: Mapping[str, int] = field(
        default_factory=dict
    )  #: what for (raft, https) to the end of the one in use, UTC ms
    turns: Sequence[int] = ()  #: turns of the core's loop since its start, by these bounds, the rest last
    turn_bounds_s: Sequence[float] = ()
    turns_s: float = 0.0  #: seconds in them
    work: Sequence[int] = ()  #: the same turns by their processor time
    work_s: float = 0.0
    longest_turn_ms: int = 0  #: of the last minute or two
    not_ready: str = ""  #: why; empty: it is
    states_aside: int = 0  #: states that were damaged or differed, kept for a person to look at
    state_disputed: bool = False  #: rows of it differ from the peers', and no majority says whose are wrong
    slices_compared: int = 0  #: slices of its rows, with the peers, since its start
    rounds_compared: int = 0  #: times that the last of all slices was compared since then
    peers: Sequence[PeerStatus] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction reported. Event n of the batch has
    the SSE id `index.n` with the index of its command."""

    index: int  #: of the last command
    stamp_ms: int
    events: Sequence[tuple[int, int, Event]]  #: (index, n, event)
    kinds: Mapping[type[Event], list[Any]] = field(init=False, repr=False, compare=False)
    """The events of each kind, in their order. Of most commits a listener wants few or none."""

    def __post_init__(self) -> None:
        kinds: dict[type[Event], list[Any]] = {}
        for _, _, event in self.events:
            kind = type(event)
            if kind in kinds:
                kinds[kind].append(event)
            else:
                kinds[kind] = [event]
        object.__setattr__(self, "kinds", kinds)

    def of(self, kind: type[E]) -> Sequence[E]:
        return self.kinds.get(kind, ())


class Scheduler(Protocol):
    """One node as the API sees it."""

    def status(self) -> NodeStatus: ...

    @property
    def index(self) -> int:
        """Index that this node's readers see at least."""
        ...

    async def propose(self, command: Command, *, timeout_s: float = 10.0) -> Outcome:
        """The outcome once it is committed and applied on this node, so a read here sees it.

        Raises NoLeaderError, OverloadedError, UnavailableError."""
        ...

    async def propose_each(
        self, commands: Sequence[Command], *, timeout_s: float = 10.0
    ) -> list[Outcome | Exception]:
        """As `propose` of each, all at the same time; what that would raise stands in the outcome's place.
        For many: a task for each would cost more than all else that a front does for it."""
        ...

    async def barrier(self, *, timeout_s: float = 5.0) -> None:
        """After it returns, a read here sees everything that was acknowledged before the call
        (concurrent calls share one commit). Raises NoLeaderError."""
        ...

    async def catch_up(self, *, timeout_s: float = 5.0) -> None:
        """The same promise by the leader's word, without a commit: for questions of strangers, who must not
        move the log (concurrent calls share one question). Raises NoLeaderError."""
        ...

    async def wait_index(self, index: int, *, timeout_s: float) -> bool:
        """Until this node has applied `index`; False when the time is over."""
        ...

    def read(self) -> AbstractContextManager[Store]:
        """A read-only store with one consistent snapshot, for the calling thread."""
        ...

    def reader(self) -> Store:
        """The same without a snapshot, for what reads in slices: each read sees its own instant."""
        ...

    def subscribe(self, *, limit: int = 10_000) -> Subscription:
        """Commits from now on. A subscriber that falls `limit` commits behind gets `overrun` set."""
        ...

    @property
    def history(self) -> History:
        """The events that are kept. A commit is in it before subscribers are told."""
        ...

    async def transfer(self, target: str | None) -> str:
        """Ask that leadership be handed over; its end shows in `status`. Raises NoLeaderError, ValueError."""
        ...

    async def check_member(self, name: str) -> None:
        """Whether this name may be admitted at all. Raises NoLeaderError, ValueError with the reason."""
        ...

    async def ask_member(self, name: str, address: str) -> str:
        """The uid of the node of this name that answers at the address and waits to join. Raises
        NoLeaderError, ValueError with what answered instead."""
        ...

    async def add_member(self, name: str, address: str, zone: str, url: str, uid: str) -> None:
        """Admit a new node name; it copies first and votes after. An empty `uid`: whoever comes first under
        the name. Raises NoLeaderError, ValueError."""
        ...

    async def remove_member(self, name: str) -> None: ...

    def suspect(self, what: str) -> None:
        """Somebody met damage in the state: the node looks at it, and ends if it is so. On any thread."""
        ...

    def now_ms(self) -> int:
        """UTC wall clock of this node."""
        ...


class Subscription(Protocol):
    queue: asyncio.Queue[Committed]
    overrun: bool

    def close(self) -> None: ...


class Authority(Protocol):
    """The certificates of this cluster, for machines that join."""

    def bundle(self) -> str | None:
        """The CA certificates that all trust, as PEM; None in a cluster without TLS."""
        ...

    def is_signer(self) -> bool:
        """Whether this node holds the CA's key."""
        ...

    def key_id(self, request: str) -> bytes:
        """SHA-256 of what a signing request (PEM) is for. Raises ValueError."""
        ...

    def sign(self, request: str, name: str, hosts: Sequence[str]) -> str:
        """A node's certificate, as PEM. Raises ValueError."""
        ...


class VaultError(Exception):
    """A secret cannot be encrypted or read on this node, and why, to be said behind the node's name. Nothing
    of its value is in the words."""


class Vault(Protocol):
    """What encrypts secrets and reads them. `place`: whose value it is, which is bound into it."""

    def keys(self) -> Sequence[str]:
        """The ids of the keys that this node has: the first is the one it encrypts with; empty: none."""
        ...

    def seal(self, place: Sequence[str], value: bytes) -> tuple[str, bytes]:
        """(id of the key, the value encrypted). Raises VaultError."""
        ...

    def open(self, place: Sequence[str], key: str, sealed: bytes) -> bytes:
        """The value. Raises VaultError."""
        ...

    def macs(self, place: Sequence[str]) -> Sequence[bytes]:
        """A proof for this place by each of its keys, the current one first. Raises VaultError."""
        ...


class NoVault:
    """Of a node that was given no key."""

    _WHY = "it has no key for secrets (secrets.key_file or secrets.key_command of its configuration)"

    def keys(self) -> Sequence[str]:
        return ()

    def seal(self, place: Sequence[str], value: bytes) -> tuple[str, bytes]:
        raise VaultError(self._WHY)

    def open(self, place: Sequence[str], key: str, sealed: bytes) -> bytes:
        raise VaultError(self._WHY)

    def macs(self, place: Sequence[str]) -> Sequence[bytes]:
        raise VaultError(self._WHY)


class DemonstrationError(Exception):
    """It cannot be done, and why."""


class Demonstration(Protocol):
    """What can be broken on purpose, where `cronclave dev` runs this node."""

    async def ask(self, wish: Mapping[str, object] | None) -> Sequence[Mapping[str, Any]]:
        """The faults, each {kind, target, parts, stands, unavailable}, after this wish of {kind, target,
        stands}. Raises DemonstrationError."""
        ...


@dataclass(slots=True)
class Proved:
    """How far this node's own look through the ledger is; nothing while it does not lead."""

    whole_ms: int | None = None  #: up to then all was as it was due, or a difference was told
    recent_ms: int | None = None  #: the same of the hour before
    took_s: float = 0.0  #: the last whole look
    due: int = 0
    entries: int = 0


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What the composition root tells the API."""

    insecure: bool  #: plain HTTP beyond loopback is allowed
    body_bytes_max: int = 1 << 20
    urls: Mapping[str, str] = field(default_factory=dict)  #: node name to base URL
    public_url: str = ""  #: by which others reach the cluster, whichever nodes live; empty: nobody said
    authority: Authority | None = None  #: None: a cluster without TLS
    ca: Path | None = None  #: the cluster's own authorities, by which other nodes are known
    scratch: Path | None = None  #: directory for a copy of the state on its way to a client
    vault: Vault = field(default_factory=NoVault)
    demonstration: Demonstration | None = None  #: None: nothing here can be broken on purpose
    proved: Proved = field(default_factory=Proved)  #: kept by the node's watch
