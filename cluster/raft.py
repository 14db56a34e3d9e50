"""pysyncobj 0.3.17, hardened from outside. The only file that imports it or knows its private names.

Rules:
1. The version is pinned: what is overridden here are name-mangled methods. A test fails on any other.
2. pysyncobj sees the log, votes, terms and acknowledgements. It never sees commands, callbacks, pickles,
   membership entries, snapshots, sockets or its own journal.
3. Order of a turn, kept by `Consensus`: deliver → journal.sync → `release` → `tick` (commit, apply, send).
4. `clock` is set for the whole process, since pysyncobj has one global clock.

The first byte of an entry is its kind; no-ops are written by pysyncobj itself.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, ClassVar, Protocol

import pysyncobj.syncobj as _library  # type: ignore[import-untyped]  # ships no types
from pysyncobj.config import SyncObjConf  # type: ignore[import-untyped]  # as above
from pysyncobj.node import Node  # type: ignore[import-untyped]  # as above
from pysyncobj.transport import Transport  # type: ignore[import-untyped]  # as above
from pysyncobj.version import VERSION  # type: ignore[import-untyped]  # as above

from cluster.hardening import Hardening, Poll, skip_matching
from cluster.journal import Journal, LogEntry
from cluster.settings import Timings
from cluster.wire import Message

LIBRARY_VERSION: str = VERSION
PINNED_VERSION = "0.3.17"

REGULAR, NO_OP, MEMBERSHIP = 0, 1, 2
APPEND_BYTES_MAX = 8 << 20  #: of one append_entries message
APPLY_SLICE_S = 0.020  #: of applying before the network is looked at again
APPLY_SLICE_PROPOSALS = 1_000
_FOREVER_S = 1e9
_FOLLOWER, _CANDIDATE, _LEADER = 0, 1, 2

Clock = Callable[[], float]
_clock: list[Clock] = [time.monotonic]


class Role(Enum):
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


class RaftHost(Protocol):
    """What the raft needs of its owner."""

    def send(self, peer: str, message: Message) -> bool: ...
    def has_room(self, peer: str) -> bool:
        """Whether more entries may be queued for this peer now."""
        ...

    def apply(self, entry: LogEntry) -> int:
        """Apply one committed entry; returns how many proposals it held."""
        ...

    def became(self, role: Role) -> None: ...
    def needs_copy(self, leader: str) -> None:
        """This log cannot be continued from the leader's: a copy of the state has to be pulled."""


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

    def __hash__(self) -> int:
        return zlib.crc32(self._id.encode())


class _Gate(Transport):  # type: ignore[misc]  # an untyped base
    """Hands pysyncobj's messages to the raft; what arrives comes through `Raft.deliver`."""

    def __init__(self, send: Callable[[str, Message], bool]) -> None:
        super().__init__(None, None, None)
        self._send = send

    def send(self, node: Any, message: Message) -> bool:
        return self._send(node.id, message)


class _Log:
    """Our journal with the method names that pysyncobj calls. Watches for membership entries."""

    def __init__(self, journal: Journal, applied: Callable[[], int]) -> None:
        self.journal, self._applied = journal, applied
        self.memberships: list[LogEntry] = [e for e in journal.entries if e[0][0] == MEMBERSHIP]

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


class Raft(_library.SyncObj):  # type: ignore[misc]  # an untyped base
    """One member's Raft. All methods belong to the thread of the reactor."""

    # Private names of pysyncobj that are set here.
    _SyncObj__raftElectionDeadline: float
    _SyncObj__raftLeader: Any
    _SyncObj__raftCommitIndex: int
    _SyncObj__raftLastApplied: int
    _SyncObj__readonlyNodes: set[Any]
    _SyncObj__newAppendEntriesTime: float

    def __init__(
        self,
        *,
        name: str,
        journal: Journal,
        applied_index: int,
        timings: Timings,
        hardening: Hardening,
        clock: Clock,
        rng: random.Random,
        host: RaftHost,
    ) -> None:
        _clock[0] = clock
        self._now, self._rng, self._host = clock, rng, host
        self._timings, self._hardening = timings, hardening
        self._me = name
        self._voters: tuple[str, ...] = (name,)
        self._learners: tuple[str, ...] = ()
        self._held: list[tuple[str, Message]] = []
        self._verified: int | None = None
        self._contact = -_FOREVER_S
        self._heard_a_leader = False
        self._votes, self._prevotes = Poll(), Poll()
        self._asked = -_FOREVER_S
        self._elect_now = False
        self.may_campaign = True  #: False while the state is missing or the node has no vote
        self.pulls_copy = False  #: a copy is on its way: nothing may be appended or applied
        conf = SyncObjConf(
            autoTick=False,
            journalFile=_Log(journal, self.applied),
            raftMinTimeout=timings.election_min_s,
            raftMaxTimeout=timings.election_max_s,
            appendEntriesPeriod=timings.heartbeat_s,
            leaderFallbackTimeout=timings.fallback_s,
            connectionTimeout=10.0 + timings.election_max_s,
            appendEntriesUseBatch=False,
            appendEntriesBatchSizeBytes=APPEND_BYTES_MAX,
            dynamicMembershipChange=False,  # cluster.membership does it
            onStateChanged=self._state_changed,
        )
        super().__init__(_Peer(name), [], conf, nodeClass=_Peer, transport=_Gate(self._outgoing))
        self._SyncObj__serializer = _NoSerializer()
        self._SyncObj__needLoadDumpFile = False
        self._SyncObj__raftLastApplied = applied_index
        self._SyncObj__raftCommitIndex = max(self._SyncObj__raftCommitIndex, applied_index)

    # ---- what the owner reads

    def role(self) -> Role:
        return (Role.FOLLOWER, Role.CANDIDATE, Role.LEADER)[self._SyncObj__raftState]

    def leader(self) -> str | None:
        node = self._SyncObj__raftLeader
        return None if node is None else str(node.id)

    def term(self) -> int:
        return int(self._SyncObj__raftCurrentTerm)

    def commit(self) -> int:
        return int(self._SyncObj__raftCommitIndex)

    def applied(self) -> int:
        return int(self._SyncObj__raftLastApplied)

    def last_index(self) -> int:
        return int(self._SyncObj__raftLog[-1][1])

    def match(self, peer: str) -> int:
        """Log index known to be on the peer; leader only."""
        return int(self._SyncObj__raftMatchIndex.get(_Peer(peer), 0))

    def contact(self) -> float:
        """When a leader was last heard, on the clock."""
        return self._contact

    def answered(self, names: Iterable[str], within_s: float) -> int:
        """How many of these, this node among them, answered this leader within the time."""
        since = self._now() - within_s
        times = self._SyncObj__lastResponseTime
        return sum(1 for n in names if n == self._me or times.get(_Peer(n), -_FOREVER_S) > since)

    def settled(self) -> bool:
        """Whether this leadership has committed its first entry, so that membership may change."""
        first = self._SyncObj__noopIDx
        return first is not None and self.applied() >= first

    def latest_membership(self) -> LogEntry | None:
        memberships = self._SyncObj__raftLog.memberships
        return memberships[-1] if memberships else None

    def wait_s(self) -> float:
        """Until the next timer of this raft."""
        if self.commit() > self.applied() and not self.pulls_copy:
            return 0.0
        if self.role() is Role.LEADER:
            due = self._SyncObj__newAppendEntriesTime
        else:
            due = self._SyncObj__raftElectionDeadline
        return float(min(max(due - self._now(), 0.0) + 0.0005, 1.0))

    # ---- what the owner does

    def append(self, data: bytes) -> int:
        """Leader only: add an entry behind the log's end; `replicate` sends it."""
        index = self.last_index() + 1
        self._SyncObj__raftLog.add(data, index, self.term())
        return index

    def replicate(self) -> None:
        if self.role() is Role.LEADER:
            self._SyncObj__sendAppendEntries()

    def release(self) -> None:
        """Send the acknowledgements that waited for the journal; those of another term are void."""
        held, self._held = self._held, []
        for peer, message in held:
            if message["term"] == self.term():
                self._host.send(peer, message)

    def tick(self) -> None:
        """Elections, commits, applying, heartbeats. The journal must be synced."""
        self._ask_before_election()
        self.doTick(0.0)
        if self._SyncObj__raftElectionDeadline > self._now():
            self._elect_now = False

    def connected(self, peer: str) -> None:
        node = _Peer(peer)
        self._SyncObj__connectedNodes.add(node)
        if peer in self._learners and node not in self._SyncObj__raftNextIndex:
            self._follow_up(node)
        if not self._heard_a_leader and self.role() is not Role.LEADER and self._hardening.elect_early:
            connected = {n.id for n in self._SyncObj__connectedNodes}
            if 2 * (sum(1 for v in self._voters if v in connected) + 1) > len(self._voters):
                self._hurry(self._now() + 0.02 + self._rank() * self._timings.stagger_s)

    def disconnected(self, peer: str) -> None:
        self._SyncObj__connectedNodes.discard(_Peer(peer))
        self.link_lost(peer)

    def link_lost(self, peer: str) -> None:
        """Either direction of the link to the peer broke. The leader's: hold an election soon, in order
        of rank."""
        if self.leader() != peer or peer == self._me or not self._hardening.elect_early:
            return
        self._contact = -_FOREVER_S
        self._SyncObj__raftLeader = None
        delay_s = self._rank(without=peer) * self._timings.stagger_s + self._rng.uniform(0.003, 0.02)
        self._hurry(self._now() + delay_s)

    def configure(self, voters: Iterable[str], learners: Iterable[str]) -> None:
        """The membership that counts from now on."""
        self._voters, self._learners = tuple(voters), tuple(learners)
        others = [_Peer(v) for v in self._voters if v != self._me]
        self._SyncObj__updateClusterConfiguration(others)
        now = self._now()
        for node in others:
            self._SyncObj__lastResponseTime.setdefault(node, now)
            if node not in self._SyncObj__raftNextIndex:
                self._follow_up(node)
        self._SyncObj__readonlyNodes = {_Peer(n) for n in self._learners if n != self._me}
        for node in sorted(self._SyncObj__readonlyNodes, key=str):
            if node not in self._SyncObj__raftNextIndex:
                self._follow_up(node)

    def hand_over(self, peer: str) -> bool:
        """Tell a peer that has the whole log to hold an election now. False: it has not, or nobody leads
        here."""
        if self.role() is not Role.LEADER or self.match(peer) != self.last_index():
            return False
        return self._host.send(peer, {"type": "timeout_now", "term": self.term()})

    def restored(self, index: int) -> None:
        """A copy of the state was installed and the journal adapted to it."""
        log = self._SyncObj__raftLog
        log.memberships = [e for e in log.journal.entries if e[0][0] == MEMBERSHIP]
        self._SyncObj__raftLastApplied = index
        self._SyncObj__raftCommitIndex = max(index, min(self.commit(), self.last_index()))
        log.setRaftCommitIndex(self._SyncObj__raftCommitIndex)
        if self.term() < log.journal.term:
            self._SyncObj__setCurrentTerm(log.journal.term, None)
        self.pulls_copy = False

    def deliver(self, peer: str, message: Message) -> None:
        """A message of a peer, decoded and well typed."""
        kind = message["type"]
        handler = self._HANDLERS.get(kind)
        if handler is None or handler(self, peer, message):
            self._pass_on(peer, message)

    # ---- messages; a handler returns whether pysyncobj should see the message

    def _on_acknowledgement(self, peer: str, message: Message) -> bool:
        if self._hardening.fence_acknowledgements:
            if message["term"] > self.term():
                self._step_down(message["term"])
            if message["term"] != self.term():
                return False
        node = _Peer(peer)
        if self.role() is not Role.LEADER or node not in self._SyncObj__raftMatchIndex:
            return False
        following = message["next_node_idx"]
        if following < 1 or following - 1 > self.last_index():
            return False
        if message["success"] and self._SyncObj__raftNextIndex[node] < following:
            self._SyncObj__raftNextIndex[node] = following
        return True

    def _on_higher_term(self, peer: str, message: Message) -> bool:
        if message["term"] > self.term():
            self._step_down(message["term"])
        return False

    def _on_vote(self, peer: str, message: Message) -> bool:
        if not self._hardening.count_voters_once:
            return True
        if self._votes.round != self.term():
            self._votes.open(self.term())
        return message["term"] == self.term() and peer in self._voters and self._votes.grant(peer)

    def _on_prevote(self, peer: str, message: Message) -> bool:
        if message["term"] <= self.term():
            self._host.send(peer, {"type": "higher_term", "term": self.term()})
        _, index, term = self._SyncObj__raftLog[-1]
        granted = (
            message["term"] > self.term()
            and (message["last_log_term"], message["last_log_index"]) >= (term, index)
            and self.role() is not Role.LEADER
            and self._now() - self._contact > self._timings.election_min_s * 0.9
        )
        self._host.send(peer, {"type": "prevoted", "round": message["round"], "granted": granted})
        return False

    def _on_prevoted(self, peer: str, message: Message) -> bool:
        is_late = self._contact >= self._asked  # a leader was heard since: its election is not disturbed
        is_mine = message["granted"] and message["round"] == self._prevotes.round
        if is_mine and not is_late and self.role() is not Role.LEADER:
            if peer in self._voters:
                self._prevotes.grant(peer)
            if self._prevotes.has_majority(len(self._voters)) and self.may_campaign:
                self._elect_now = True
                self._SyncObj__raftElectionDeadline = 0
        return False

    def _on_timeout_now(self, peer: str, message: Message) -> bool:
        return self.may_campaign

    def _on_append(self, peer: str, message: Message) -> bool:
        if message["term"] < self.term():
            if self._hardening.name_higher_term:
                self._host.send(peer, {"type": "higher_term", "term": self.term()})
            return False
        self._contact = self._now()
        self._heard_a_leader = True
        if self.pulls_copy:
            self._follow_without_log(peer, message)
            return False
        self._verified = None
        rewritten = message
        if self._hardening.skip_matching:
            rewritten, self._verified = skip_matching(self._SyncObj__raftLog.journal.entries, message)
        self._pass_on(peer, rewritten)
        if message["behind"] and self._verified is None and self.applied() < message["prevLogIdx"]:
            self._host.needs_copy(peer)
        self._verified = None
        return False

    def _follow_without_log(self, peer: str, message: Message) -> None:
        """Follow the leader, take no entry, and keep it from sending any: neither success nor reset."""
        node = _Peer(peer)
        self._SyncObj__raftElectionDeadline = self._now() + self._SyncObj__generateRaftTimeout()
        if message["term"] > self.term():
            self._SyncObj__setCurrentTerm(message["term"], None)
        self._SyncObj__setState(_FOLLOWER)
        self._SyncObj__raftLeader = node
        self._outgoing(peer, {"type": "next_node_idx", "next_node_idx": 1, "reset": False, "success": False})

    _HANDLERS: ClassVar[dict[str, Callable[[Raft, str, Message], bool]]] = {
        "next_node_idx": _on_acknowledgement,
        "higher_term": _on_higher_term,
        "response_vote": _on_vote,
        "prevote": _on_prevote,
        "prevoted": _on_prevoted,
        "timeout_now": _on_timeout_now,
        "append_entries": _on_append,
    }

    def _pass_on(self, peer: str, message: Message) -> None:
        self._SyncObj__transport._onMessageReceived(_Peer(peer), message)

    def _outgoing(self, peer: str, message: Message) -> bool:
        """Everything that pysyncobj sends passes here."""
        if message["type"] != "next_node_idx":
            return self._host.send(peer, message)
        message = dict(message, term=self.term())
        if message["success"] and self._verified is not None:
            message["next_node_idx"] = self._verified + 1
        if message["reset"] and self._hardening.reset_to_commit:
            message["next_node_idx"] = min(message["next_node_idx"], max(self.commit(), self.applied()) + 1)
        if self._hardening.acknowledge_after_sync:
            self._held.append((peer, message))
            return True
        return self._host.send(peer, message)

    # ---- elections

    def _ask_before_election(self) -> None:
        """PreVote (Ongaro's dissertation, 9.6): no term is raised before a majority says that it would
        vote."""
        now = self._now()
        if self.role() is Role.LEADER or self._SyncObj__raftElectionDeadline >= now:
            return
        if not self.may_campaign or self._me not in self._voters:
            self._SyncObj__raftElectionDeadline = now + _FOREVER_S
            return
        if self._elect_now or self._SyncObj__transferInProgress or not self._hardening.ask_before_election:
            return
        if len(self._voters) == 1:
            self._elect_now = True
            return
        self._SyncObj__raftElectionDeadline = now + self._SyncObj__generateRaftTimeout()
        self._prevotes.open(self._prevotes.round + 1)
        self._asked = now
        _, index, term = self._SyncObj__raftLog[-1]
        question = {
            "type": "prevote",
            "term": self.term() + 1,
            "last_log_index": index,
            "last_log_term": term,
            "round": self._prevotes.round,
        }
        for voter in self._voters:
            if voter != self._me:
                self._host.send(voter, question)

    def _rank(self, without: str = "") -> int:
        """Place of this node among the voters: one after the other asks first."""
        names = sorted(v for v in self._voters if v != without)
        return names.index(self._me) if self._me in names else len(names)

    def _hurry(self, deadline: float) -> None:
        self._SyncObj__raftElectionDeadline = min(self._SyncObj__raftElectionDeadline, deadline)

    def campaign_again(self) -> None:
        """The node may stand for election from now on."""
        self.may_campaign = True
        self._SyncObj__raftElectionDeadline = self._now() + self._SyncObj__generateRaftTimeout()

    def _step_down(self, term: int) -> None:
        self._SyncObj__setCurrentTerm(term, None)
        self._SyncObj__setState(_FOLLOWER)
        self._SyncObj__raftLeader = None

    def _state_changed(self, old: int, new: int) -> None:
        if new == _LEADER:
            self._heard_a_leader = True
        elif old == _LEADER:
            self._SyncObj__raftElectionDeadline = self._now() + self._SyncObj__generateRaftTimeout()
        self._host.became((Role.FOLLOWER, Role.CANDIDATE, Role.LEADER)[new])

    def _follow_up(self, node: _Peer) -> None:
        self._SyncObj__raftNextIndex[node] = self.last_index() + 1
        self._SyncObj__raftMatchIndex[node] = 0

    # ---- replaced methods of pysyncobj

    def _SyncObj__generateRaftTimeout(self) -> float:
        return self._rng.uniform(self._timings.election_min_s, self._timings.election_max_s)

    def _SyncObj__tryLogCompaction(self) -> None:
        """The owner trims the journal behind a checkpoint."""

    def _SyncObj__applyLogEntries(self) -> bool:
        """A slice of the committed entries. An exception stops the node: nothing was acknowledged for it.
        An entry that commits in the tick that adds it (one voter alone) waits for the next turn's sync."""
        if self.pulls_copy:
            return False
        end = self._now() + APPLY_SLICE_S
        journal: Journal = self._SyncObj__raftLog.journal
        commit = self.commit()
        if self._hardening.acknowledge_after_sync:
            commit = min(commit, journal.synced_index)
        proposals = 0
        applied = False
        while self.applied() < commit and proposals < APPLY_SLICE_PROPOSALS:
            index = self.applied() + 1
            if index <= journal.first_index:
                raise RuntimeError(f"entry {index} is below the log's first, {journal.first_index}")
            proposals += self._host.apply(journal.entries[index - journal.first_index])
            self._SyncObj__raftLastApplied = index
            applied = True
            if self._now() > end:
                break
        return applied

    def _SyncObj__sendAppendEntries(self) -> None:
        """What each peer lacks, as far as its connection has room; an empty one is the heartbeat."""
        now = self._now()
        self._SyncObj__newAppendEntriesTime = now + self._timings.heartbeat_s
        journal: Journal = self._SyncObj__raftLog.journal
        for peer in (*self._voters, *self._learners):
            node = _Peer(peer)
            if peer == self._me or node not in self._SyncObj__connectedNodes:
                continue
            following = self._SyncObj__raftNextIndex[node]
            behind = following <= journal.first_index
            if behind:
                following = journal.first_index + 1
            sent = False
            while not behind and following <= journal.last_index and self._host.has_room(peer):
                entries = self._entries_from(journal, following)
                self._send_append(peer, journal, following, entries, behind=False)
                following = self._SyncObj__raftNextIndex[node] = following + len(entries)
                sent = True
            if not sent:
                self._send_append(peer, journal, following, [], behind=behind)

    def _send_append(
        self, peer: str, journal: Journal, following: int, entries: list[LogEntry], *, behind: bool
    ) -> None:
        self._host.send(
            peer,
            {
                "type": "append_entries",
                "term": self.term(),
                "commit_index": self.commit(),
                "prevLogIdx": following - 1,
                "prevLogTerm": journal.term_at(following - 1),
                "entries": entries,
                "behind": behind,
            },
        )

    @staticmethod
    def _entries_from(journal: Journal, index: int) -> list[LogEntry]:
        start = end = index - journal.first_index
        size = 0
        while end < len(journal.entries):
            size += len(journal.entries[end][0]) + 32
            if size > APPEND_BYTES_MAX and end > start:
                break
            end += 1
        return journal.entries[start:end]
