"""Raft as it is used here: pysyncobj's object with the hardenings that make it safe.

Order of a turn, kept by `Consensus`: deliver → journal.sync → `release` → `tick` (commit, apply, send).
Every message to and from pysyncobj passes here; docs/consensus.md tells which defect each rule answers.

What a quiet cluster sends is kept cheap. Rules:
1. A heartbeat, or a bare word of a higher commit index, that finds the log equal never reaches pysyncobj. It
   is answered only when the last answer is `ANSWER_HEARTBEATS` heartbeats old: a leader steps down after 20.
   Whatever carries entries, or does not fit, is answered always.
2. What is committed is told before it is applied here, with the next entry where one waits.
3. `is_calm` says that a message changed nothing that a turn has to look at, and that nothing waits for the
   journal: its answer may be released.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from typing import ClassVar, Protocol

from cluster.elections import Elections
from cluster.hardening import Hardening, skip_matching
from cluster.journal import Journal, LogEntry
from cluster.library import APPEND_BYTES_MAX, MEMBERSHIP, NEVER_S, NO_OP, REGULAR, Clock, Library, Role
from cluster.settings import Timings
from cluster.wire import Message

__all__ = ["MEMBERSHIP", "NO_OP", "REGULAR", "Raft", "RaftHost", "Role"]

APPLY_SLICE_S = 0.020  #: of applying before the network is looked at again
APPLY_SLICE_PROPOSALS = 1_000
ANSWER_HEARTBEATS = 1.5  #: so every second is answered, though timers jitter
TERM_JUMP_MAX = 1 << 20
"""A term further ahead is believed of nobody: it would take days of elections without a pause, and a term is
kept for ever, on the way to the largest number that a log can hold."""

_log = logging.getLogger(__name__)


class RaftHost(Protocol):
    """What the raft needs of its owner."""

    def send(self, peer: str, message: Message) -> bool: ...
    def drop(self, peer: str) -> None:
        """Break the connections with a peer that sends what cannot be."""
        ...

    def has_room(self, peer: str) -> bool:
        """Whether more entries may be queued for this peer now."""
        ...

    def apply(self, entry: LogEntry) -> int:
        """Apply one committed entry; returns how many proposals it held."""
        ...

    def committed(self) -> None:
        """Leader: more is committed than the peers were told. Send it, with what waits to be appended."""
        ...

    def became(self, role: Role) -> None: ...
    def needs_copy(self, leader: str) -> None:
        """This log cannot be continued from the leader's: a copy of the state has to be pulled."""


class Raft(Library):
    """One member's Raft. All methods belong to the thread of the reactor."""

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
        self._host, self._hardening = host, hardening
        self._voters: tuple[str, ...] = (name,)
        self._learners: tuple[str, ...] = ()
        self._held: list[tuple[str, Message]] = []
        self._verified: int | None = None
        self._answered_s = NEVER_S  #: when a leader was last told that this log is equal to its own
        self._told_commit = 0  #: as the leader of a term: what the peers were told, or are being told
        self.is_calm = False  #: the last message that was delivered changed nothing that a turn looks at
        self.pulls_copy = False  #: a copy is on its way: nothing may be appended or applied
        self.elections = Elections(
            self, name=name, timings=timings, hardening=hardening, clock=clock, rng=rng, send=host.send
        )
        super().__init__(
            name=name, journal=journal, applied_index=applied_index, timings=timings, clock=clock
        )

    # ---- what the owner reads

    def latest_membership(self) -> LogEntry | None:
        memberships = self.log.memberships
        return memberships[-1] if memberships else None

    def wait_s(self) -> float:
        """Until something is to be done here, but for a leader's heartbeats."""
        if self.commit() > self.applied() and not self.pulls_copy:
            return 0.0
        if self.role() is Role.LEADER:
            return 1.0
        return float(min(max(self.election_deadline - self._now(), 0.0) + 0.0005, 1.0))

    def heartbeat_in_s(self) -> float | None:
        """Leader: until the next one."""
        return max(self.heartbeat_due - self._now(), 0.0) if self.role() is Role.LEADER else None

    # ---- what the owner does

    def append(self, data: bytes) -> int:
        """Leader only: add an entry behind the log's end; `replicate` sends it."""
        index = self.last_index() + 1
        self.log.add(data, index, self.term())
        return index

    def replicate(self) -> None:
        if self.role() is Role.LEADER:
            self._send_appends()

    def release(self) -> None:
        """Send the acknowledgements that waited for the journal; those of another term are void."""
        held, self._held = self._held, []
        for peer, message in held:
            if message["term"] == self.term():
                self._host.send(peer, message)

    def tick(self) -> None:
        """Elections, commits, applying, heartbeats. The journal must be synced."""
        self.elections.before_tick()
        self.doTick(0.0)
        self.elections.after_tick()

    def connected(self, peer: str) -> None:
        self.set_connected(peer, True)
        if peer in self._learners:
            self.follow_up(peer)
        self.elections.connected()

    def disconnected(self, peer: str) -> None:
        self.set_connected(peer, False)
        self.elections.link_lost(peer)

    def configure(self, voters: Iterable[str], learners: Iterable[str]) -> None:
        """The membership that counts from now on."""
        self._voters, self._learners = tuple(voters), tuple(learners)
        self.elections.voters = self._voters
        self.set_peers(
            [v for v in self._voters if v != self._me], [n for n in self._learners if n != self._me]
        )

    def hand_over(self, peer: str) -> bool:
        """Tell a peer that has the whole log to hold an election now. False: it has not, or nobody leads
        here."""
        if self.role() is not Role.LEADER or self.match(peer) != self.last_index():
            return False
        return self._host.send(peer, {"type": "timeout_now", "term": self.term()})

    def restored(self, index: int) -> None:
        """A copy of the state was installed and the journal adapted to it."""
        self.log.read_memberships()
        self.set_applied(index)
        self.set_commit(max(index, min(self.commit(), self.last_index())))
        if self.term() < self.log.journal.term:
            self.take_term(self.log.journal.term)
        self.pulls_copy = False

    def deliver(self, peer: str, message: Message) -> None:
        """A message of a peer, decoded and well typed."""
        self.is_calm = False
        if message.get("term", 0) > self.term() + TERM_JUMP_MAX:
            _log.error(
                "%s of %s has term %d, this node is at %d: not believed", message["type"], peer,
                message["term"], self.term(),
            )  # fmt: skip
            self._host.drop(peer)
            return
        handler = self._HANDLERS.get(message["type"])
        if handler is None or handler(self, peer, message):
            self.hand_in(peer, message)

    # ---- messages; a handler returns whether pysyncobj should see the message

    def _on_acknowledgement(self, peer: str, message: Message) -> bool:
        if self._hardening.fence_acknowledgements:
            if message["term"] > self.term():
                self._step_down(message["term"])
            if message["term"] != self.term():
                return False
        if self.role() is not Role.LEADER or not self.is_counted(peer):
            return False
        following = message["next_node_idx"]
        if following < 1 or following - 1 > self.last_index():
            return False
        self.is_calm = message["success"] and following - 1 <= self.match(peer)
        if message["success"] and self.following(peer) < following:
            self.set_following(peer, following)
        return True

    def _on_higher_term(self, peer: str, message: Message) -> bool:
        if message["term"] > self.term():
            self._step_down(message["term"])
        return False

    def _on_vote(self, peer: str, message: Message) -> bool:
        return self.elections.counts(peer, message)

    def _on_prevote(self, peer: str, message: Message) -> bool:
        self.elections.answer(peer, message)
        return False

    def _on_prevoted(self, peer: str, message: Message) -> bool:
        self.elections.answered(peer, message)
        return False

    def _on_timeout_now(self, peer: str, message: Message) -> bool:
        return self.elections.may_stand

    def _on_append(self, peer: str, message: Message) -> bool:
        if message["term"] < self.term():
            if self._hardening.name_higher_term:
                self._host.send(peer, {"type": "higher_term", "term": self.term()})
            return False
        self.elections.leader_heard(peer, message["term"])
        if self.pulls_copy:
            self._follow_without_log(peer, message)
            return False
        if self._finds_equal(peer, message):
            self._take_notice(peer, message["commit_index"])
            return False
        self._verified = None
        rewritten = message
        if self._hardening.skip_matching:
            rewritten, self._verified = skip_matching(self.log.journal.entries, message)
        self.hand_in(peer, rewritten)
        if not self.is_told_to_lead():
            self.elections.follow(peer)
        if message["behind"] and self._verified is None and self.applied() < message["prevLogIdx"]:
            self._host.needs_copy(peer)
        self._verified = None
        return False

    def _finds_equal(self, peer: str, message: Message) -> bool:
        """Only a heartbeat or a commit index, of the leader that is followed, and the logs are equal."""
        return (
            not message["entries"]
            and not message["behind"]
            and message["term"] == self.term()
            and self.role() is Role.FOLLOWER
            and self.leader() == peer
            and not self.is_told_to_lead()
            and (message["prevLogIdx"], message["prevLogTerm"]) == self.last()
        )

    def _take_notice(self, peer: str, commit: int) -> None:
        self.elections.follow(peer)
        is_news = commit > self.commit()
        if is_news:
            self.set_commit(min(commit, self.last_index()))
        now = self._now()
        if now - self._answered_s >= ANSWER_HEARTBEATS * self._timings.heartbeat_s:
            self._verified = self.last_index()
            self._outgoing(
                peer,
                {
                    "type": "next_node_idx",
                    "next_node_idx": self.last_index() + 1,
                    "reset": False,
                    "success": True,
                },
            )
            self._verified = None
        self.is_calm = not is_news and not self.log.journal.is_dirty

    def _follow_without_log(self, peer: str, message: Message) -> None:
        """Follow the leader, take no entry, and keep it from sending any: neither success nor reset."""
        self.elections.wait()
        if message["term"] > self.term():
            self.take_term(message["term"])
        self.follow(peer)
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

    def _step_down(self, term: int) -> None:
        self.take_term(term)
        self.follow(None)

    # ---- hooks of the library

    def _outgoing(self, peer: str, message: Message) -> bool:
        if message["type"] != "next_node_idx":
            return self._host.send(peer, message)
        message = dict(message, term=self.term())
        if message["success"]:
            self._answered_s = self._now()
        if message["success"] and self._verified is not None:
            message["next_node_idx"] = self._verified + 1
        if message["reset"] and self._hardening.reset_to_commit:
            message["next_node_idx"] = min(message["next_node_idx"], max(self.commit(), self.applied()) + 1)
        if self._hardening.acknowledge_after_sync:
            self._held.append((peer, message))
            return True
        return self._host.send(peer, message)

    def _election_timeout_s(self) -> float:
        return self.elections.timeout_s()

    def _state_changed(self, old: Role, new: Role) -> None:
        self.elections.state_changed(old, new)
        self._host.became(new)

    def _apply_slice(self) -> bool:
        """A slice of the committed entries. An exception stops the node: nothing was acknowledged for it.
        An entry that commits in the tick that adds it (one voter alone) waits for the next turn's sync."""
        if self.pulls_copy:
            return False
        end = self._now() + APPLY_SLICE_S
        journal = self.log.journal
        commit = self.commit()
        if self._hardening.acknowledge_after_sync:
            commit = min(commit, journal.synced_index)
        if self.role() is Role.LEADER and self.commit() > self._told_commit:
            self._host.committed()
        proposals = 0
        while self.applied() < commit and proposals < APPLY_SLICE_PROPOSALS:
            index = self.applied() + 1
            if index <= journal.first_index:
                raise RuntimeError(f"entry {index} is below the log's first, {journal.first_index}")
            proposals += self._host.apply(journal.entries[index - journal.first_index])
            self.set_applied(index)
            if self._now() > end:
                break
        return False  # the peers know already

    def _send_appends(self) -> None:
        """What each peer lacks, as far as its connection has room; an empty one is the heartbeat."""
        self.heartbeat_sent()
        self._told_commit = self.commit()
        journal = self.log.journal
        sent_last: Message = {}
        for peer in (*self._voters, *self._learners):
            if peer == self._me or not self.is_connected(peer):
                continue
            following = self.following(peer)
            behind = following <= journal.first_index
            if behind:
                following = journal.first_index + 1
            sent = False
            while not behind and following <= journal.last_index and self._host.has_room(peer):
                message = self._append_from(following, carries=True, like=sent_last)
                self._host.send(peer, message)
                following += len(message["entries"])
                self.set_following(peer, following)
                sent_last, sent = message, True
            if not sent:
                sent_last = self._append_from(following, carries=False, behind=behind, like=sent_last)
                self._host.send(peer, sent_last)

    def _append_from(
        self, following: int, *, carries: bool, behind: bool = False, like: Message
    ) -> Message:
        """`like`: what a peer was just sent; where the next lacks the same, it is packed once for both."""
        journal = self.log.journal
        same = like and like["prevLogIdx"] == following - 1 and like["behind"] == behind
        if same and bool(like["entries"]) == carries:
            return like
        return {
            "type": "append_entries",
            "term": self.term(),
            "commit_index": self.commit(),
            "prevLogIdx": following - 1,
            "prevLogTerm": journal.term_at(following - 1),
            "entries": self._entries_from(journal, following) if carries else [],
            "behind": behind,
        }

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
