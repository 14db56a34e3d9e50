"""The leader's side of the membership and of its own office: who is admitted, removed, given a vote, and
to whom leadership is handed.

Rules:
1. One change at a time, and none before this leadership has committed its first entry.
2. A change after which no majority would answer is refused. A learner that does not answer gets no vote.
3. Whoever asks hears the leader's word at once, on whichever member it asked (cluster.questions). A change
   that meets another person's is refused by its name; one that meets the leader's own work waits for that.
4. A leader hands over before it is removed.
5. While a hand-over is under way no proposal becomes an entry, for a bounded time: the heir needs the whole
   log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from cluster.library import MEMBERSHIP
from cluster.membership import WOULD_STOP, Membership, apply_change, difference, well_formed
from cluster.peers import Peers
from cluster.questions import Denial, Questions, Told, refuse, unheard
from cluster.raft import Raft, Role
from cluster.roster import Roster
from cluster.settings import ClusterSettings, Timings
from cluster.wire import Message, Verdict

CATCH_UP_ENTRIES = 500  #: a learner this close to the log's end becomes a voter
HANDOVER_S = 1.5  #: proposals wait this long for a transfer of leadership
FAILED_S = 5.0  #: who just did not take over is no first choice: each try holds proposals up
PATIENCE_S = 1.0  #: a person's change waits this long for what the leader itself is changing
WAITING_MAX = 16
BUSY = Denial("the leader is still at work on the membership; try again", Verdict.NOT_NOW)

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
        may_lead: Callable[[Mapping[str, Any]], bool],
    ) -> None:
        self._settings, self._timings = settings, timings
        self._raft, self._peers, self._roster = raft, peers, roster
        self._clock, self._send, self._refresh = clock, send, refresh
        self._may_lead = may_lead
        self._handover: tuple[str | None, float] | None = None
        self._failed: tuple[str | None, float] = (None, 0.0)
        self._leaves_after_handover = False
        self._questions = Questions(clock, send)
        self._waiting: list[tuple[list[Any], Told, float]] = []

    # ---- the office

    @property
    def hands_over(self) -> bool:
        return self._handover is not None

    def transfer(self, target: str | None, told: Told = unheard) -> Denial | None:
        """None when it is under way, else why it cannot be. On another member than the leader None says that
        the wish was passed on; `told` hears the leader's word, once, wherever it was asked."""
        if target is not None and target not in self._roster.current.voters:
            return refuse(told, Denial(f"{target} is no voting member"))
        if self._raft.role() is not Role.LEADER:
            return self._questions.ask(
                self._raft.leader(), {"type": "transfer", "target": target or ""}, told
            )
        reason: str | None
        if target is not None and target != self._settings.name and self._has_failed(target):
            reason = self.why_no_heir(target) or f"{target} did not take over within {HANDOVER_S} s"
        else:
            reason = self.hand_over(target)
        denial = None if reason is None else Denial(reason)
        told(denial)
        return denial

    def hand_over(self, target: str | None) -> str | None:
        """Leader: give the office away, also to who did not take it a moment ago. None when it is under way,
        else why it cannot be."""
        if target == self._settings.name:
            return None
        reason = self.why_no_heir(target) if target is not None else None
        if target is None and not self.heirs():
            reason = "no other voting member that can lead answers"
        if reason is None:
            self._handover = (target, self._clock() + HANDOVER_S)
        return reason

    def continue_handover(self, now: float) -> None:
        """Leader: name the heir once it has the whole log; give up when that takes too long."""
        if self._handover is None:
            return
        target, deadline = self._handover
        if now > deadline:
            self._handover = None
            self._leaves_after_handover = False
            self._failed = (target, now + FAILED_S)
            return
        for heir in [target] if target else self.heirs()[:1]:
            if self._raft.hand_over(heir):
                self._handover = (heir, deadline)

    def became(self, role: Role) -> None:
        self._handover = None
        if role is not Role.LEADER:
            waiting, self._waiting = self._waiting, []
            for _, told, _ in waiting:
                told(None)

    def leave(self) -> None:
        """After the hand-over of a leader that was to be removed: until the new leader has done it."""
        if self._leaves_after_handover and self._raft.role() is not Role.LEADER:
            self.request(["remove", self._settings.name], self._stays)

    def _stays(self, denial: Denial | None) -> None:
        """A refusal that is no matter of moments ends it: a removal long after it was asked for surprises."""
        if denial is not None and not denial.is_passing:
            self._leaves_after_handover = False
            _log.warning("this node was to be removed, and stays: %s", denial.reason)

    def heirs(self) -> list[str]:
        """The voters that can lead; first those that answer now, and of them those with most of the log."""
        reachable = self._peers.reachable()
        names = [n for n in self._roster.current.voters if n in reachable]
        names = [n for n in names if self.why_no_heir(n) is None]
        return sorted(
            names, key=lambda n: (self._has_failed(n), not self._answers(n), -self._raft.match(n), n)
        )

    def why_no_heir(self, name: str) -> str | None:
        """Leader: why this member cannot take over now."""
        late_s = self._timings.fallback_s  # a busy host is no dead one
        if name not in self._peers.reachable() or not self._raft.answered([name], late_s):
            return f"{name} does not answer"
        lag = self._raft.last_index() - self._raft.match(name)
        if lag > CATCH_UP_ENTRIES:
            return f"{name} is {lag} log entries behind"
        if not self._may_lead(self._peers.get(name).status):
            return f"{name} is ending, its front does not run, or it looks at its state"
        return None

    def _has_failed(self, name: str) -> bool:
        return self._failed[0] == name and self._clock() < self._failed[1]

    def _answers(self, name: str) -> bool:
        return self._raft.answered([name], self._timings.election_max_s) > 0

    # ---- the membership

    def request(self, change: list[Any], told: Told = unheard) -> Denial | None:
        """A person's change, on any member. Results as `transfer`."""
        changed = apply_change(self._roster.current, change)
        if isinstance(changed, str):
            return refuse(told, Denial(changed))
        if self._raft.role() is Role.LEADER:
            return self.make(change, told)
        return self._questions.ask(
            self._raft.leader(), {"type": "change", "change": msgpack.packb(change)}, told
        )

    def why_not(self, name: str) -> str | None:
        """Why this name cannot be admitted, by what this member knows; None: it can."""
        changed = apply_change(self._roster.current, ["add", name, "", "", "", None])
        return changed if isinstance(changed, str) else None

    def make(self, change: list[Any], told: Told = unheard) -> Denial | None:
        """A change asked for by a person, at the leader."""
        changed = apply_change(self._roster.current, change)
        if isinstance(changed, str):
            return refuse(told, Denial(changed))
        if change[0] == "remove" and not self.would_go_on(changed):
            return refuse(told, Denial(WOULD_STOP.format(name=change[1], left=len(changed.voters))))
        other = difference(self._roster.committed, self._roster.current)
        if other is not None:
            reason = f"{other} right now, and one change of the membership goes at a time; try again"
            return refuse(told, Denial(reason, Verdict.NOT_NOW))
        if change == ["remove", self._settings.name]:
            denial = self.transfer(None, told)
            self._leaves_after_handover = denial is None
            return denial
        if self._is_busy():
            if len(self._waiting) >= WAITING_MAX:
                return refuse(told, BUSY)
            self._waiting.append((change, told, self._clock() + PATIENCE_S))
            return None
        self._commit(changed)
        told(None)
        return None

    def make_waiting(self, now: float) -> None:
        """Leader: what waited for its own work."""
        if not self._waiting or (self._is_busy() and now < self._waiting[0][2]):
            return
        change, told, until = self._waiting.pop(0)
        if self._is_busy() and now >= until:
            told(BUSY)
        else:
            self.make(change, told)

    def asked(self, peer: str, message: Message) -> None:
        """Another member passes on what a person asked for there, or the leader's word on that comes."""
        if message["type"] == "verdict":
            self._questions.verdict(peer, message)
            return
        told = self._questions.answering(peer, message["number"])
        if self._raft.role() is not Role.LEADER:
            told(None)  # it asks again, whoever leads by then
            return
        if message["type"] == "transfer":
            self.transfer(message["target"] or None, told)
            return
        try:
            change = msgpack.unpackb(message["change"])
        except Exception:  # msgpack raises many types for malformed bytes
            return
        denial = self.make(change, told) if well_formed(change) else refuse(told, Denial("malformed"))
        if denial is not None:
            _log.warning("a change of the membership asked for by %s: %s", peer, denial.reason)

    def step(self, now: float) -> None:
        """Leader: each turn."""
        self.make_waiting(now)
        self.bind_and_promote()
        self.continue_handover(now)

    def expire(self, now: float) -> None:
        self._questions.expire(now)

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
                if is_close and self._answers(name) and self.would_go_on(current.promoted(name)):
                    changed = changed.promoted(name)
                    break
        if changed != current and not self._is_busy():
            self._commit(changed)

    def _is_busy(self) -> bool:
        """Before this office's first entry has committed, or while another membership has not."""
        latest = self._raft.latest_membership()
        return not self._raft.settled() or (latest is not None and latest[1] > self._raft.applied())

    def _commit(self, membership: Membership) -> None:
        self._raft.append(bytes([MEMBERSHIP]) + membership.encode())
        self._refresh()
        self._raft.replicate()
