"""The leader's side of the membership and of its own office: who is admitted, removed, given a vote, and
to whom leadership is handed.

Rules:
1. One change at a time, and none before this leadership has committed its first entry.
2. A change after which no majority would answer is refused. A learner that does not answer gets no vote.
3. A leader hands over before it is removed.
4. While a hand-over is under way no proposal becomes an entry, for a bounded time: the heir needs the whole
   log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgpack

from cluster.library import MEMBERSHIP
from cluster.membership import WOULD_STOP, Membership, apply_change, well_formed
from cluster.peers import Peers
from cluster.raft import Raft, Role
from cluster.roster import Roster
from cluster.settings import ClusterSettings, Timings
from cluster.wire import Message

CATCH_UP_ENTRIES = 500  #: a learner this close to the log's end becomes a voter
HANDOVER_S = 1.5  #: proposals wait this long for a transfer of leadership

_log = logging.getLogger(__name__)


class Changes:
    def __init__(
        self,
        settings: ClusterSettings,
        timings: Timings,
        *,
        raft: Raft,
        peers: Peers,
        roster: Roster,
        clock: Callable[[], float],
        send: Callable[[str, Message], bool],
        refresh: Callable[[], None],
    ) -> None:
        self._settings, self._timings = settings, timings
        self._raft, self._peers, self._roster = raft, peers, roster
        self._clock, self._send, self._refresh = clock, send, refresh
        self._handover: tuple[str | None, float] | None = None
        self._leaves_after_handover = False

    # ---- the office

    @property
    def hands_over(self) -> bool:
        return self._handover is not None

    def transfer(self, target: str | None) -> str | None:
        """None when it is under way, else why it cannot be."""
        if target is not None and target not in self._roster.current.voters:
            return f"{target} is no voting member"
        if self._raft.role() is not Role.LEADER:
            return self._tell_leader({"type": "transfer", "target": target or ""})
        if target == self._settings.name:
            return None
        if not self._heirs():
            return "no other voting member is reachable"
        self._handover = (target, self._clock() + HANDOVER_S)
        return None

    def continue_handover(self, now: float) -> None:
        """Leader: name the heir once it has the whole log; give up when that takes too long."""
        if self._handover is None:
            return
        target, deadline = self._handover
        if now > deadline:
            self._handover = None
            self._leaves_after_handover = False
            return
        candidates = [target] if target else self._heirs()
        if any(self._raft.hand_over(candidate) for candidate in candidates):
            self._handover = (target, min(deadline, now + 4 * self._timings.election_max_s))

    def became(self, role: Role) -> None:
        self._handover = None

    def leave(self) -> None:
        """After the hand-over of a leader that was to be removed: until the new leader has done it."""
        if self._leaves_after_handover and self._raft.role() is not Role.LEADER:
            self.request(["remove", self._settings.name])

    def _heirs(self) -> list[str]:
        """The connected voter that has most of the log."""
        reachable = self._peers.reachable()
        names = [n for n in self._roster.current.voters if n in reachable]
        return sorted(names, key=lambda n: (-self._raft.match(n), n))[:1]

    # ---- the membership

    def request(self, change: list[Any]) -> str | None:
        """A person's change, on any member. None when it is under way, else why it cannot be."""
        changed = apply_change(self._roster.current, change)
        if isinstance(changed, str):
            return changed
        if self._raft.role() is Role.LEADER:
            return self.make(change)
        return self._tell_leader({"type": "change", "change": msgpack.packb(change)})

    def make(self, change: list[Any]) -> str | None:
        """A change asked for by a person, at the leader."""
        changed = apply_change(self._roster.current, change)
        if isinstance(changed, str):
            return changed
        if change[0] == "remove" and not self.would_go_on(changed):
            return WOULD_STOP.format(name=change[1], left=len(changed.voters))
        if change == ["remove", self._settings.name]:
            self._leaves_after_handover = True
            return self.transfer(None)
        return self._commit(changed)

    def asked(self, peer: str, message: Message) -> None:
        """Another member passes on what a person asked for there."""
        if self._raft.role() is not Role.LEADER:
            return
        if message["type"] == "transfer":
            self.transfer(message["target"] or None)
            return
        try:
            change = msgpack.unpackb(message["change"])
        except Exception:  # msgpack raises many types for malformed bytes
            return
        reason = self.make(change) if well_formed(change) else "malformed"
        if reason is not None:
            _log.warning("a change of the membership asked for by %s: %s", peer, reason)

    def would_go_on(self, membership: Membership) -> bool:
        """Leader: a majority of these voters answers now."""
        return 2 * self._raft.answered(membership.voters, self._timings.fallback_s) > len(membership.voters)

    def bind_and_promote(self) -> None:
        """Leader: bind members that were met to their uids; give learners that have caught up a vote."""
        current = changed = self._roster.current
        for name, uid in {**self._peers.met(), self._settings.name: self._settings.uid}.items():
            member = changed.get(name)
            if member is not None and member.uid is None:
                changed = changed.bound(name, uid)
        if changed == current:
            for name in current.learners:
                match = self._raft.match(name)
                is_close = match > 0 and match + CATCH_UP_ENTRIES >= self._raft.last_index()
                answers = self._raft.answered([name], self._timings.election_max_s) > 0
                if is_close and answers and self.would_go_on(current.promoted(name)):
                    changed = changed.promoted(name)
                    break
        if changed != current:
            self._commit(changed)

    def _commit(self, membership: Membership) -> str | None:
        latest = self._raft.latest_membership()
        if not self._raft.settled() or (latest is not None and latest[1] > self._raft.applied()):
            return "another change of the membership is under way; try again"
        self._raft.append(bytes([MEMBERSHIP]) + membership.encode())
        self._refresh()
        self._raft.replicate()
        return None

    def _tell_leader(self, message: Message) -> str | None:
        leader = self._raft.leader()
        if leader is None or not self._send(leader, message):
            return "no leader is known"
        return None
