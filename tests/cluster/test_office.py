"""The leader's side of the membership and of its own office, with Rafts whose messages go by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster.changes import BUSY, CATCH_UP_ENTRIES, HANDOVER_S, PATIENCE_S, WAITING_MAX, Changes
from cluster.membership import Member, Membership
from cluster.peers import Peers
from cluster.questions import Denial
from cluster.raft import MEMBERSHIP, Role
from cluster.roster import Roster
from cluster.settings import ClusterSettings, Founder
from cluster.wire import Hello, Message
from tests.cluster.test_hardening import TIMINGS, Bench

ADD = ["add", "e", "e:1", "", "", None]


class Office:
    """a leads b and c; d follows without a vote. All uids but d's are bound."""

    def __init__(self) -> None:
        self.bench = Bench("abcd")
        self.raft = self.bench["a"]
        self.peers = Peers(lambda: self.bench.time, lambda: 0)
        self.peers.keep("bcd")
        founders = [Founder(name, f"{name}:1") for name in "abc"]
        settings = ClusterSettings("c", "a", "uid-a", "a:1", founders, Path("log"), Path("copies"))
        membership = Membership.founded(founders)
        for name in "abc":
            membership = membership.bound(name, f"uid-{name}")
        self.roster = Roster(settings, self.peers)
        self.roster.take_over(membership.put(Member("d", "d:1", "", "", None, voter=False)))
        self.unfit: set[str] = set()  #: who must not lead by what they tell
        self.sent: list[tuple[str, Message]] = []
        self.heard: list[Denial | None] = []
        self.changes = Changes(
            settings,
            TIMINGS,
            raft=self.raft,
            peers=self.peers,
            roster=self.roster,
            clock=lambda: self.bench.time,
            send=self._send,
            refresh=self.refresh,
            may_lead=self._may_lead,
        )
        self.refresh()
        self.bench.elect("a", "b", "c")

    def _send(self, peer: str, message: Message) -> bool:
        self.sent.append((peer, message))
        return True

    def _may_lead(self, status: Mapping[str, Any]) -> bool:
        return status.get("who") not in self.unfit

    def refresh(self) -> None:
        self.roster.refresh(self.raft.latest_membership(), self.raft.applied())
        for raft in self.bench.rafts.values():
            raft.configure(self.roster.current.voters, self.roster.current.learners)

    def meet(self, *names: str) -> None:
        for name in names:
            self.peers.connected(Hello("c", name, f"uid-{name}", 1, 1, "", f"{name}:1", "", 0, False))
            status = {"type": "status", "sent_ms": 1, "echo_ms": 0, "hold_ms": 0}
            self.peers.take_status(name, {**status, "status": {"owner": {"who": name}}})

    def answers(self, *names: str) -> None:
        """These have the whole log of the leader now, and it has heard so."""
        self.raft.replicate()
        for name in names:
            self.bench.deliver("a", name, "append_entries")
            self.bench.tick(name)
            self.bench.deliver(name, "a", "next_node_idx")
        self.bench.tick("a")

    def settle(self) -> None:
        self.meet("b", "c", "d")
        self.answers("b", "c")
        assert self.raft.settled()

    def make(self, change: list[Any] = ADD) -> Denial | None:
        return self.changes.make(change, self.heard.append)

    def memberships(self) -> int:
        return sum(1 for e in self.bench.journals["a"].entries if e[0][0] == MEMBERSHIP)

    def pass_time(self, seconds: float) -> None:
        self.bench.time += seconds
        self.changes.make_waiting(self.bench.time)
        self.changes.continue_handover(self.bench.time)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def settled(office: Office) -> Office:
    office.settle()
    return office


# ---- rule 1: one change at a time, and none before the office's first entry


def test_nothing_changes_before_the_first_entry_is_committed(office: Office) -> None:
    assert office.make() is None
    office.changes.bind_and_promote()
    office.changes.make_waiting(office.bench.time)
    assert (office.memberships(), office.heard) == (0, [])
    office.settle()
    office.pass_time(0.0)
    assert (office.memberships(), office.heard) == (1, [None])


def test_a_change_waits_no_longer_than_told_and_not_with_too_many_others(office: Office) -> None:
    for _ in range(WAITING_MAX):
        assert office.make() is None
    assert office.make() == BUSY
    office.pass_time(PATIENCE_S / 2)
    assert office.heard == [BUSY]
    for _ in range(WAITING_MAX):
        office.pass_time(PATIENCE_S)
    assert office.heard == [BUSY] * (WAITING_MAX + 1)
    assert office.memberships() == 0


def test_what_waited_when_the_office_ended_is_neither_made_nor_refused(office: Office) -> None:
    office.make()
    office.changes.became(Role.FOLLOWER)
    assert office.heard == [None]
    office.settle()
    office.pass_time(0.0)
    assert office.memberships() == 0


def test_the_leaders_own_work_waits_for_a_change_under_way(settled: Office) -> None:
    settled.make()
    settled.answers("d")
    assert settled.memberships() == 1
    settled.changes.bind_and_promote()  # d was met: it is to be bound
    assert settled.memberships() == 1


# ---- rule 2: who gets a vote


def test_a_learner_votes_once_it_is_near_the_end_of_the_log(settled: Office) -> None:
    settled.roster.take_over(settled.roster.current.bound("d", "uid-d"))
    settled.refresh()
    settled.changes.bind_and_promote()
    assert settled.memberships() == 0, "it has not said what it has"
    settled.answers("d")
    settled.bench.append("a", CATCH_UP_ENTRIES + 1)
    settled.bench.sent.clear()
    settled.changes.bind_and_promote()
    assert settled.memberships() == 0, "it is too far behind"
    settled.raft.set_following("d", settled.raft.match("d") + 1)
    settled.answers("d")
    settled.changes.bind_and_promote()
    assert "d" in settled.roster.current.voters


def test_a_learner_gets_no_vote_that_would_leave_no_majority(settled: Office) -> None:
    """Of four voters two would answer, and of the three that there are one: it may yet come back."""
    settled.roster.take_over(settled.roster.current.bound("d", "uid-d"))
    settled.refresh()
    settled.bench.time += TIMINGS.fallback_s + 0.1
    settled.raft.replicate()
    settled.bench.deliver("a", "d", "append_entries")
    settled.bench.tick("d")
    settled.bench.deliver("d", "a", "next_node_idx")
    settled.changes.bind_and_promote()
    assert settled.memberships() == 0
    settled.answers("b")
    settled.changes.bind_and_promote()
    assert "d" in settled.roster.current.voters


def test_a_member_is_bound_to_the_uid_that_came_first(settled: Office) -> None:
    settled.changes.bind_and_promote()
    assert {m.name: m.uid for m in settled.roster.current.members} == {n: f"uid-{n}" for n in "abcd"}
    settled.peers.connected(Hello("c", "b", "another", 1, 1, "", "b:1", "", 0, False))
    settled.answers("b", "c", "d")
    settled.changes.bind_and_promote()
    bound = settled.roster.current.get("b")
    assert bound is not None
    assert bound.uid == "uid-b"


# ---- rules 4 and 5: handing over


def test_the_heir_answers_has_most_of_the_log_and_did_not_fail_just_now(settled: Office) -> None:
    assert settled.changes.heirs()[:1] == ["b"]
    settled.bench.append("a", 5)
    settled.answers("c")
    assert settled.changes.heirs()[:1] == ["c"], "it has more of the log"
    settled.changes.hand_over("c")
    settled.bench.sent.clear()
    settled.pass_time(HANDOVER_S + 0.1)
    settled.bench["a"].replicate()
    settled.answers("b", "c")
    assert settled.changes.heirs()[:1] == ["b"], "c did not take over a moment ago"


def test_an_heir_that_answers_late_comes_after_one_that_answers(settled: Office) -> None:
    settled.bench.time += TIMINGS.election_max_s + 0.1
    settled.answers("c")
    assert settled.changes.heirs()[:1] == ["c"]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("cut off", "b does not answer"),
        ("silent", "b does not answer"),
        ("far behind", f"b is {CATCH_UP_ENTRIES + 1} log entries behind"),
        ("unfit", "b is ending, its front does not run, or it looks at its state"),
    ],
)
def test_who_cannot_take_over_is_told_why_and_proposals_go_on(settled: Office, state: str, says: str) -> None:
    if state == "cut off":
        settled.peers.disconnected("b")
    elif state == "silent":
        settled.bench.time += TIMINGS.fallback_s + 0.1
    elif state == "far behind":
        settled.bench.append("a", CATCH_UP_ENTRIES + 1)
    else:
        settled.unfit = {"b"}
    assert settled.changes.transfer("b", settled.heard.append) == Denial(says)
    assert (settled.heard, settled.changes.hands_over) == ([Denial(says)], False)


def test_without_an_heir_nothing_is_handed_over(settled: Office) -> None:
    settled.unfit = {"b", "c"}
    assert settled.changes.transfer(None) == Denial("no other voting member that can lead answers")
    assert settled.changes.transfer("d") == Denial("d is no voting member")
    assert not settled.changes.hands_over


def test_leadership_goes_to_who_has_the_whole_log_alone(settled: Office) -> None:
    settled.bench.append("a", 1)
    assert settled.changes.transfer("b") is None
    settled.bench.sent.clear()
    settled.pass_time(0.01)
    assert not list(settled.bench.take("a", "b", "timeout_now"))
    settled.raft.set_following("b", settled.raft.last_index())
    settled.answers("b")
    settled.pass_time(0.01)
    assert len(list(settled.bench.take("a", "b", "timeout_now"))) == 1


def lose_the_office(office: Office) -> None:
    """b leads now."""
    office.raft.deliver("b", {"type": "higher_term", "term": 9})
    heartbeat = {"type": "append_entries", "term": 9, "prevLogIdx": 1, "prevLogTerm": 0, "commit_index": 1}
    office.raft.deliver("b", {**heartbeat, "entries": [], "behind": False})
    office.changes.became(Role.FOLLOWER)
    assert office.raft.leader() == "b"
    office.sent.clear()


def asked_to_leave(office: Office) -> list[int]:
    office.changes.leave()
    asked = [int(m["number"]) for peer, m in office.sent if (peer, m["type"]) == ("b", "change")]
    office.sent.clear()
    return asked


@pytest.mark.parametrize("words", ["the leader is at work", "the cluster would stop; try again"])
def test_a_leader_that_is_removed_hands_over_and_asks_until_it_is_done(settled: Office, words: str) -> None:
    assert settled.make(["remove", "a"]) is None
    assert settled.changes.hands_over
    assert settled.memberships() == 0
    assert asked_to_leave(settled) == []
    lose_the_office(settled)
    (number,) = asked_to_leave(settled)
    verdict = {"type": "verdict", "reason": words}  # which are for people
    settled.changes.asked("b", {**verdict, "number": number, "verdict": "not_now"})
    (number,) = asked_to_leave(settled)
    settled.changes.asked("b", {**verdict, "number": number, "verdict": "refused"})
    assert asked_to_leave(settled) == [], "a removal long after it was asked for surprises"


def test_a_leader_that_nobody_followed_stays_also_when_it_loses_its_office_later(settled: Office) -> None:
    assert settled.make(["remove", "a"]) is None
    settled.pass_time(HANDOVER_S + 0.1)
    assert not settled.changes.hands_over
    lose_the_office(settled)
    assert asked_to_leave(settled) == []


# ---- rule 3: what another member passed on


@pytest.mark.parametrize("change", [b"\xc1", b"\x01", b"\x92\xa6remove\x07"])
def test_a_malformed_change_that_was_passed_on_changes_nothing(settled: Office, change: bytes) -> None:
    settled.changes.asked("b", {"type": "change", "number": 1, "change": change})
    assert settled.memberships() == 0


def test_who_does_not_lead_says_so_at_once(settled: Office) -> None:
    lose_the_office(settled)
    settled.changes.asked("c", {"type": "transfer", "number": 4, "target": ""})
    assert settled.sent == [("c", {"type": "verdict", "number": 4, "verdict": "under_way", "reason": ""})]
