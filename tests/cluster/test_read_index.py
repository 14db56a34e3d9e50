"""A member learns what was acknowledged before it asked, and nothing is committed for that."""

from __future__ import annotations

from pathlib import Path

from cluster.membership import Membership
from cluster.peers import Peers
from cluster.questions import Denial
from cluster.read_index import ANSWER_S, WAITING_MAX, ReadIndex
from cluster.roster import Roster
from cluster.settings import ClusterSettings, Founder
from cluster.wire import Message, Verdict
from tests.cluster.members import Group, patient, running
from tests.cluster.test_hardening import Bench


class Asking:
    """Rafts and their questions; every message goes by hand."""

    def __init__(self) -> None:
        self.bench = Bench("abc")
        self.sent: list[tuple[str, str, Message]] = []
        self.heard: list[Denial | None] = []
        founders = [Founder(name, f"{name}:1") for name in "abc"]
        self.reads: dict[str, ReadIndex] = {}
        for name in "abc":
            settings = ClusterSettings("c", name, f"uid-{name}", f"{name}:1", founders, Path("l"), Path("c"))
            roster = Roster(settings, Peers(lambda: self.bench.time, lambda: 0))
            roster.take_over(Membership.founded(founders))
            roster.refresh(None, 0)
            self.reads[name] = ReadIndex(
                name,
                self.bench[name],
                roster,
                lambda: self.bench.time,
                lambda peer, message, me=name: self._send(me, peer, message),
            )
        self.bench.elect("a", "b", "c")
        self.replicate()

    def _send(self, source: str, target: str, message: Message) -> bool:
        self.sent.append((source, target, message))
        return True

    def replicate(self) -> None:
        """Until everything is on all and the leader knows."""
        for _ in range(3):
            self.bench["a"].replicate()
            self.bench.deliver("a")
            for name in "bc":
                self.bench.tick(name)
            self.bench.deliver("", "a")
            self.bench.tick("a")

    def ask(self, name: str) -> None:
        self.reads[name].ask(self.heard.append)

    def deliver(self, kind: str, source: str = "", target: str = "") -> int:
        fitting = [
            m for m in self.sent if m[2]["type"] == kind and source in ("", m[0]) and target in ("", m[1])
        ]
        self.sent = [m for m in self.sent if not any(m is f for f in fitting)]
        for a, b, message in fitting:
            self.reads[b].received(a, message)
        return len(fitting)

    def poll(self) -> None:
        for reads in self.reads.values():
            reads.poll(self.bench.time)


def test_a_follower_hears_once_it_has_applied_what_the_leader_had_committed() -> None:
    story = Asking()
    story.bench.append("a", 1)
    story.bench.deliver("a", "c")
    story.bench.tick("c")
    story.bench.deliver("c", "a")
    story.bench.tick("a")  # committed by a and c; b has not heard
    story.bench.sent.clear()

    story.ask("b")
    assert story.deliver("index_ask") == 1
    assert story.deliver("index_check") == 2
    assert story.deliver("index_checked") == 2
    assert story.deliver("index_told") == 1
    story.poll()
    assert story.heard == []

    story.replicate()
    story.poll()
    assert story.heard == [None]


def test_a_leader_that_was_deposed_vouches_for_nothing() -> None:
    story = Asking()
    for name in "bc":
        story.bench[name].take_term(story.bench[name].term() + 1)  # they have voted for another
    story.ask("a")
    story.deliver("index_check")
    story.deliver("index_checked")
    story.poll()
    assert story.heard == []
    story.bench.time += ANSWER_S
    story.poll()
    assert len(story.heard) == 1
    assert story.heard[0]


def test_answers_of_before_the_question_do_not_count() -> None:
    story = Asking()
    story.ask("a")
    story.deliver("index_check")
    early = list(story.sent)
    story.bench.time += ANSWER_S
    story.poll()
    story.sent.clear()
    story.ask("a")
    for source, target, message in early:
        story.reads[target].received(source, message)
    story.poll()
    assert len(story.heard) == 1  # the first, which was too late


def test_a_question_without_an_answer_ends() -> None:
    story = Asking()
    story.ask("b")
    story.bench.time += ANSWER_S
    story.poll()
    assert story.heard[0]
    assert story.heard[0].verdict is Verdict.NO_LEADER


def test_what_waits_is_bounded() -> None:
    story = Asking()
    for _ in range(WAITING_MAX + 5):
        story.ask("b")
    assert len(story.heard) == 5
    assert all(told and told.verdict is Verdict.NO_LEADER for told in story.heard)


def _hear(group: Group, name: str) -> Denial | None:
    heard: list[Denial | None] = []
    group[name].consensus.reads.ask(heard.append)
    group.run_until(lambda: bool(heard), f"{name} hears")
    return heard[0]


def _is_vouched_for(group: Group, name: str) -> bool:
    """Who asks is answered in a second or asks again: this process may not run for longer."""
    return any(_hear(group, name) is None for _ in range(20))


def test_many_questions_move_no_log(tmp_path: Path) -> None:
    with patient(tmp_path) as group:
        leader = group.elect()
        group.propose(leader, "a token")
        group.settle("a token")
        members = leader.consensus.committed_membership
        group.run_until(
            lambda: all(
                (member := leader.consensus.committed_membership.get(name)) is not None and member.uid
                for name in members.voters
            ),
            "all members are bound",
        )
        follower = group.followers[0]
        assert _is_vouched_for(group, leader.name)
        before = leader.consensus.last_index
        for _ in range(30):
            assert _is_vouched_for(group, follower.name)
            assert _is_vouched_for(group, leader.name)
        assert "a token" in follower.machine.proposals
        assert leader.consensus.last_index == before


def test_without_a_majority_nobody_vouches(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        for follower in group.followers:
            group.kill(follower.name)
        told = _hear(group, leader.name)
        assert told
        assert told.verdict is Verdict.NO_LEADER
