"""pysyncobj 0.3.17 from outside: the only file that imports it or knows its private names.

Rules:
1. The version is pinned: what is overridden here are name-mangled methods. A test fails on any other.
2. pysyncobj sees the log, votes, terms and acknowledgements. It never sees commands, callbacks, pickles,
   membership entries, snapshots, sockets or its own journal.
3. `clock` is set for the whole process, since pysyncobj has one global clock.

`Library` gives its private fields names and its replaced methods hooks; what is decided in them is in
cluster.raft and cluster.elections. The first byte of an entry is its kind; no-ops are written by pysyncobj
itself.
"""

from __future__ import annotations

import functools
import time
import zlib
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

import pysyncobj.syncobj as _library  # type: ignore[import-untyped]  # ships no types
from pysyncobj.config import SyncObjConf  # type: ignore[import-untyped]  # as above
from pysyncobj.node import Node  # type: ignore[import-untyped]  # as above
from pysyncobj.transport import Transport  # type: ignore[import-untyped]  # as above
from pysyncobj.version import VERSION  # type: ignore[import-untyped]  # as above

from cluster.journal import Journal, LogEntry
from cluster.settings import Timings
from cluster.wire import Message

LIBRARY_VERSION: str = VERSION
PINNED_VERSION = "0.3.17"

REGULAR, NO_OP, MEMBERSHIP = 0, 1, 2
APPEND_BYTES_MAX = 8 << 20  #: of one append_entries message
NEVER_S = -1e9  #: an instant before all others
_FOLLOWER, _CANDIDATE, _LEADER = 0, 1, 2

Clock = Callable[[], float]
_clock: list[Clock] = [time.monotonic]


class Role(Enum):
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


_ROLES = (Role.FOLLOWER, Role.CANDIDATE, Role.LEADER)


class _NoPoller:
    """Sockets belong to the reactor."""

    def poll(self, timeout: float) -> None: ...
    def subscribe(self, *args: object) -> None: ...
    def unsubscribe(self, *args: object) -> None: ...


class _NoSerializer:
    """Copies of the state go their own way (cluster.copies)."""

    def cancelTransmisstion(self, node: object) -> None: ...


# Replaced once for the process: every instance gets its journal through the `journalFile` setting.
_library.createJournal = lambda journal: journal
_library.createPoller = lambda kind: _NoPoller()
_library.PIPE_NOTIFIER_ENABLED = False
_library.monotonicTime = lambda: _clock[0]()


class _Peer(Node):  # type: ignore[misc]  # an untyped base
    """Hashes the same in every process, so that iterating a set of peers is deterministic."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._hash = zlib.crc32(name.encode())

    def __hash__(self) -> int:
        return self._hash


@functools.lru_cache(maxsize=1024)
def _peer(name: str) -> _Peer:
    return _Peer(name)


class _Gate(Transport):  # type: ignore[misc]  # an untyped base
    """Hands pysyncobj's messages to the raft; what arrives comes through `Library.hand_in`."""

    def __init__(self, send: Callable[[str, Message], bool]) -> None:
        super().__init__(None, None, None)
        self._send = send

    def send(self, node: Any, message: Message) -> bool:
        return self._send(node.id, message)


class Log:
    """Our journal with the method names that pysyncobj calls. Watches for membership entries."""

    def __init__(self, journal: Journal, applied: Callable[[], int]) -> None:
        self.journal, self._applied = journal, applied
        self.memberships: list[LogEntry] = []
        self.read_memberships()

    def read_memberships(self) -> None:
        self.memberships = [e for e in self.journal.entries if e[0][0] == MEMBERSHIP]

    def __getitem__(self, item: Any) -> Any:
        return self.journal.entries[item]

    def __len__(self) -> int:
        return len(self.journal.entries)

    def add(self, data: bytes, index: int, term: int) -> None:
        self.journal.append(data, index, term)
        if data[0] == MEMBERSHIP:
            self.memberships.append((data, index, term))

    def deleteEntriesFrom(self, offset: int) -> None:
        index = self.journal.entries[offset][1]
        if index <= self._applied():
            raise RuntimeError(f"applied entries were to be cut, from {index} of {self._applied()}")
        self.journal.truncate(index)
        self.memberships = [e for e in self.memberships if e[1] < index]

    def setRaftCommitIndex(self, index: int) -> None:
        self.journal.commit_index = index

    def getRaftCommitIndex(self) -> int:
        return self.journal.commit_index

    def setCurrentTerm(self, term: int, vote: str | None) -> None:
        self.journal.store_vote(term, vote)

    def getCurrentTerm(self) -> int:
        return self.journal.term

    def getVotedForNodeId(self) -> str | None:
        return self.journal.vote

    def onOneSecondTimer(self) -> None: ...
    def _destroy(self) -> None: ...


class Library(_library.SyncObj):  # type: ignore[misc]  # an untyped base
    """pysyncobj's object with names for what it hides."""

    # Private names of pysyncobj that are set here. It looks at every attribute while it starts, before it
    # has set its own: those behind properties need a value by then.
    _SyncObj__raftElectionDeadline: float = 0.0
    _SyncObj__newAppendEntriesTime: float = 0.0
    _SyncObj__raftLog: Any = None
    _SyncObj__raftLeader: Any
    _SyncObj__raftCommitIndex: int
    _SyncObj__raftLastApplied: int
    _SyncObj__readonlyNodes: set[Any]

    def __init__(
        self, *, name: str, journal: Journal, applied_index: int, timings: Timings, clock: Clock
    ) -> None:
        _clock[0] = clock
        self._now = clock
        self._me = name
        self._timings = timings
        conf = SyncObjConf(
            autoTick=False,
            journalFile=Log(journal, self.applied),
            raftMinTimeout=timings.election_min_s,
            raftMaxTimeout=timings.election_max_s,
            appendEntriesPeriod=timings.heartbeat_s,
            leaderFallbackTimeout=timings.fallback_s,
            connectionTimeout=10.0 + timings.election_max_s,
            appendEntriesUseBatch=False,
            appendEntriesBatchSizeBytes=APPEND_BYTES_MAX,
            dynamicMembershipChange=False,  # cluster.membership does it
            onStateChanged=lambda old, new: self._state_changed(_ROLES[old], _ROLES[new]),
        )
        super().__init__(_peer(name), [], conf, nodeClass=_Peer, transport=_Gate(self._outgoing))
        self._SyncObj__serializer = _NoSerializer()
        self._SyncObj__needLoadDumpFile = False
        self._SyncObj__raftLastApplied = applied_index
        self._SyncObj__raftCommitIndex = max(self._SyncObj__raftCommitIndex, applied_index)

    # ---- what it knows

    def role(self) -> Role:
        return _ROLES[self._SyncObj__raftState]

    def leader(self) -> str | None:
        node = self._SyncObj__raftLeader
        return None if node is None else str(node.id)

    def term(self) -> int:
        return int(self._SyncObj__raftCurrentTerm)

    def commit(self) -> int:
        return int(self._SyncObj__raftCommitIndex)

    def applied(self) -> int:
        return int(self._SyncObj__raftLastApplied)

    def last(self) -> tuple[int, int]:
        """Index and term of the log's last entry."""
        _, index, term = self._SyncObj__raftLog[-1]
        return int(index), int(term)

    def last_index(self) -> int:
        return self.last()[0]

    def match(self, peer: str) -> int:
        """Log index known to be on the peer; leader only."""
        return int(self._SyncObj__raftMatchIndex.get(_peer(peer), 0))

    def answered(self, names: Iterable[str], within_s: float) -> int:
        """How many of these, this node among them, answered this leader within the time."""
        since = self._now() - within_s
        times = self._SyncObj__lastResponseTime
        return sum(1 for n in names if n == self._me or times.get(_peer(n), NEVER_S) > since)

    def answered_since(self, names: Iterable[str]) -> float:
        """When a majority of these, this node among them, had last answered this leader, on the clock."""
        times, now = self._SyncObj__lastResponseTime, self._now()
        newest = sorted((now if n == self._me else times.get(_peer(n), NEVER_S) for n in names), reverse=True)
        return float(newest[len(newest) // 2])

    def settled(self) -> bool:
        """Whether this leadership has committed its first entry, so that membership may change."""
        first = self._SyncObj__noopIDx
        return first is not None and self.applied() >= first

    @property
    def log(self) -> Log:
        log: Log = self._SyncObj__raftLog
        return log

    # ---- elections

    @property
    def election_deadline(self) -> float:
        return self._SyncObj__raftElectionDeadline

    @election_deadline.setter
    def election_deadline(self, deadline: float) -> None:
        self._SyncObj__raftElectionDeadline = deadline

    def is_told_to_lead(self) -> bool:
        """By the leader, which hands over."""
        return bool(self._SyncObj__transferInProgress)

    def take_term(self, term: int) -> None:
        """A higher term was seen: no vote in it so far."""
        self._SyncObj__setCurrentTerm(term, None)

    def follow(self, leader: str | None) -> None:
        self._SyncObj__setState(_FOLLOWER)
        self._SyncObj__raftLeader = None if leader is None else _peer(leader)

    def forget_leader(self) -> None:
        self._SyncObj__raftLeader = None

    # ---- peers

    def connected_peers(self) -> set[str]:
        return {n.id for n in self._SyncObj__connectedNodes}

    def is_connected(self, peer: str) -> bool:
        return _peer(peer) in self._SyncObj__connectedNodes

    def set_connected(self, peer: str, connected: bool) -> None:
        if connected:
            self._SyncObj__connectedNodes.add(_peer(peer))
        else:
            self._SyncObj__connectedNodes.discard(_peer(peer))

    def set_peers(self, voters: Iterable[str], learners: Iterable[str]) -> None:
        """The others, from now on."""
        others = [_peer(v) for v in voters]
        self._SyncObj__updateClusterConfiguration(others)
        now = self._now()
        for node in others:
            self._SyncObj__lastResponseTime.setdefault(node, now)
            self.follow_up(node.id)
        self._SyncObj__readonlyNodes = {_peer(n) for n in learners}
        for node in sorted(self._SyncObj__readonlyNodes, key=str):
            self.follow_up(node.id)

    def follow_up(self, peer: str) -> None:
        """Start to count what is on a peer, if that is not done yet."""
        node = _peer(peer)
        if node not in self._SyncObj__raftNextIndex:
            self._SyncObj__raftNextIndex[node] = self.last_index() + 1
            self._SyncObj__raftMatchIndex[node] = 0

    def is_counted(self, peer: str) -> bool:
        return _peer(peer) in self._SyncObj__raftMatchIndex

    def following(self, peer: str) -> int:
        """Index of the entry to send next."""
        return int(self._SyncObj__raftNextIndex[_peer(peer)])

    def set_following(self, peer: str, index: int) -> None:
        self._SyncObj__raftNextIndex[_peer(peer)] = index

    def hand_in(self, peer: str, message: Message) -> None:
        """A message for pysyncobj itself."""
        self._SyncObj__transport._onMessageReceived(_peer(peer), message)

    # ---- appending and applying

    @property
    def heartbeat_due(self) -> float:
        return self._SyncObj__newAppendEntriesTime

    def heartbeat_sent(self) -> None:
        self._SyncObj__newAppendEntriesTime = self._now() + self._timings.heartbeat_s

    def set_applied(self, index: int) -> None:
        self._SyncObj__raftLastApplied = index

    def set_commit(self, index: int) -> None:
        self._SyncObj__raftCommitIndex = index
        self.log.setRaftCommitIndex(index)

    # ---- hooks

    def _outgoing(self, peer: str, message: Message) -> bool:
        """Everything that pysyncobj sends."""
        raise NotImplementedError

    def _state_changed(self, old: Role, new: Role) -> None:
        raise NotImplementedError

    def _election_timeout_s(self) -> float:
        raise NotImplementedError

    def _apply_slice(self) -> bool:
        """Apply committed entries for a while; whether there were any."""
        raise NotImplementedError

    def _send_appends(self) -> None:
        """Leader: send each peer what it lacks, or a heartbeat."""
        raise NotImplementedError

    def _SyncObj__generateRaftTimeout(self) -> float:
        return self._election_timeout_s()

    def _SyncObj__tryLogCompaction(self) -> None:
        """The owner trims the journal behind a checkpoint."""

    def _SyncObj__applyLogEntries(self) -> bool:
        return self._apply_slice()

    def _SyncObj__sendAppendEntries(self) -> None:
        self._send_appends()
