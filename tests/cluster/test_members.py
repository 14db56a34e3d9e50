"""Three real members over TCP: elect, propose, lose the leader, come back."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pysyncobj.pickle as library_pickle  # type: ignore[import-untyped]  # it ships no types
import pytest

from cluster.consensus import Consensus
from cluster.questions import Denial
from cluster.raft import Role
from tests.cluster.members import free_port, reason_of, running
from tests.e2e.starvation import looked_for


def test_members_elect_and_apply_the_same(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        follower = group.followers[0]
        group.propose(leader, "one")
        group.settle("one")
        group.propose(follower, "two")
        group.settle("two")
        assert leader.machine.proposals == [f"lead {leader.name}", "one", "two"]


def test_killed_leader_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        for round in range(3):
            leader = group.elect()
            text = f"before {round}"
            group.propose(leader, text)
            group.applied_by(leader, text)
            group.kill(leader.name)
            successor = group.elect()
            assert successor.consensus.term > 0
            group.propose(successor, f"after {round}")
            group.settle(f"after {round}")
            group.start(leader.name)
            group.settle(f"after {round}")
            assert all(text in m.machine.proposals for m in group.members.values())


def test_all_members_killed_at_once_come_back_with_everything(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        for number in range(20):
            group.propose(leader, f"p{number}")
        group.run_until(lambda: "p19" in leader.machine.proposals, "applied at the leader")
        expected = list(leader.machine.proposals)
        for name in "abc":
            group.kill(name)
        for name in "abc":
            group.start(name)
        group.elect()
        group.settle("p19")
        assert group["a"].machine.proposals[: len(expected)] == expected


def test_first_entry_of_a_leadership_is_its_own(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        group.propose(leader, "x")
        group.settle("x")
        group.kill(leader.name)
        for survivor in group.members.values():
            survivor.consensus.propose(b"too early")
        successor = group.elect()
        group.propose(successor, "y")
        group.settle("y")
        tail = successor.machine.proposals[successor.machine.proposals.index("x") + 1 :]
        assert tail[0] == f"lead {successor.name}"


def test_wiped_member_is_refused_for_ever(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        group.run_until(lambda: all(m.uid for m in leader.consensus.membership.members), "all bound")
        group.propose(leader, "x")
        group.settle("x")
        name = group.followers[0].name
        group.kill(name)
        shutil.rmtree(tmp_path / name)
        wiped = group.start(name)
        group.run_until(lambda: wiped.fatal != "", "the wiped member ends")
        assert "another node uid" in wiped.fatal
        assert "new name" in wiped.fatal
        assert wiped.machine.proposals == []
        group.kill(name)
        survivor = next(iter(group.members.values()))
        group.propose(survivor, "y")
        group.settle("y")


def test_new_member_joins_by_copy_under_load_without_an_election(tmp_path: Path) -> None:
    small: dict[str, Any] = {"log_entries_max": 40, "segment_bytes": 2000, "log_tail_bytes": 2000}
    with looked_for([os.getpid()]) as starvation, running(tmp_path, **small) as group:
        leader = group.elect()
        sent = 0

        def load() -> None:
            nonlocal sent
            if leader.consensus.propose(f"load {sent} {'x' * 200}".encode()):
                sent += 1

        def until(condition: Callable[[], bool], what: str) -> None:
            def loaded() -> bool:
                load()
                return condition()

            group.run_until(loaded, what)

        until(lambda: leader.machine.checkpoints > 0, "the log is trimmed")
        term = leader.consensus.term
        assert (
            leader.consensus.add_member("d", group.addresses.setdefault("d", f"127.0.0.1:{free_port()}"))
            is None
        )
        joiner = group.start("d", joining=True)
        assert joiner.consensus.is_joining
        until(lambda: "d" in leader.consensus.membership.voters, "d votes")
        mark = sent
        until(lambda: sent > mark + 20, "more load")
        group.propose(leader, "end")
        group.settle("end")
        if not starvation.is_starved:  # the members are in this process, which was let run
            assert leader.consensus.role is Role.LEADER
            assert leader.consensus.term == term
            assert leader.machine.copies == 0, "the leader has enough to do: a follower gives the copy"
        assert not joiner.consensus.is_joining
        assert leader.consensus.membership.get("d").uid == joiner.consensus.settings.uid


def test_nothing_is_ever_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pysyncobj unpickles commands, membership entries, large entries, dumps and its journal's metadata; none
    of that is reached by what a peer sends, nor by what the own disk holds."""
    unpickled: list[str] = []
    for module, name in (
        (pickle, "loads"),
        (pickle, "load"),
        (library_pickle, "loads"),
        (library_pickle, "load"),
    ):
        monkeypatch.setattr(module, name, lambda *_, which=name: unpickled.append(which))
    library_pickle.loads(b"")
    assert unpickled == ["loads"], "it is noticed"
    with running(tmp_path, log_entries_max=40, segment_bytes=2000, log_tail_bytes=2000) as group:

        def commit(text: str) -> None:
            """Proposed again where the leader that took it fell."""
            for _ in range(20):
                leader = group.elect()
                group.propose(leader, text)
                group.run_until(
                    lambda at=leader: text in at.machine.proposals or group.leader is not at, text[:20]
                )
                if text in leader.machine.proposals:
                    return
            raise AssertionError(text[:20])

        def change(of: Callable[[Consensus], object]) -> None:
            group.run_until(lambda: of(group.elect().consensus) is None, "the change is taken")

        commit("y" * 900_000)
        for number in range(60):
            commit(f"n{number}")
        group.run_until(lambda: all(m.machine.checkpoints > 0 for m in group.members.values()), "trimmed")
        address = group.addresses.setdefault("d", f"127.0.0.1:{free_port()}")
        change(lambda leader: None if leader.membership.get("d") else leader.add_member("d", address))
        joiner = group.start("d", joining=True)
        group.run_until(lambda: "d" in joiner.consensus.membership.voters, "d votes")
        goes, stays = [m for m in group.followers if m is not joiner][:2]
        name = goes.name
        change(lambda leader: leader.remove_member(name) if leader.membership.get(name) else None)
        group.run_until(lambda: goes.fatal is not None, "it ends")
        group.kill(name)
        commit("last")
        group.kill(stays.name)
        back = group.start(stays.name)
        commit("end")
        group.applied_by(back, "end")
        group.applied_by(joiner, "end")
    assert unpickled == ["loads"]


def test_member_that_was_away_too_long_gets_a_copy(tmp_path: Path) -> None:
    with running(tmp_path, log_entries_max=40, segment_bytes=2000, log_tail_bytes=2000) as group:
        leader = group.elect()
        away = group.followers[0].name
        group.kill(away)
        (tmp_path / away / "state.json").unlink(missing_ok=True)
        for number in range(150):
            group.propose(leader, f"n{number}")
            group.applied_by(leader, f"n{number}")
        group.run_until(lambda: leader.machine.checkpoints > 0, "the log is trimmed")
        assert len(leader.consensus.log) < 150
        back = group.start(away)
        group.settle("n149")
        assert len(back.machine.stamps) < 150


def test_leadership_is_handed_over_under_load(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        target = group.followers[0]
        group.propose(leader, "x")
        group.run_until(lambda: leader.consensus.may_take_over(target.name), "the leader has heard it")
        assert leader.consensus.transfer(target.name) is None
        group.run_until(lambda: target.consensus.role is Role.LEADER, "the target leads")
        group.propose(target, "y")
        group.settle("y")
        assert leader.consensus.transfer("nobody") == Denial("nobody is no voting member")


def test_founders_beside_a_restored_one_are_refused_for_good(tmp_path: Path) -> None:
    """They have its uid and no state, are more than it, and would go on as an empty cluster."""
    with running(tmp_path) as group:
        group["a"].machine.restores = 1
        others = [group["b"], group["c"]]
        group.run_until(lambda: all(m.fatal for m in others), "the others end")
        for member in others:
            assert "a refuses this node: cluster cluster-1 was restored (number 1)" in member.fatal
            assert "cronclave cluster join" in member.fatal
        assert group["a"].fatal == ""


def test_a_member_that_ends_soon_takes_no_office(tmp_path: Path) -> None:
    """Neither from a leader that has not heard of it yet, nor when the leader dies."""
    with running(tmp_path) as group:
        leader = group.elect()
        ending, other = group.followers
        group.run_until(lambda: leader.consensus.may_take_over(ending.name), "it could take over")
        ending.consensus.retire()
        assert leader.consensus.transfer(ending.name) is None
        group.propose(leader, "meanwhile")
        group.run_until(lambda: not leader.consensus._changes.hands_over, "the leader gives up")
        assert "meanwhile" not in leader.machine.proposals, "the heir needs the whole log"
        group.applied_by(leader, "meanwhile")
        assert leader.consensus.role is Role.LEADER
        assert leader.consensus.transfer(ending.name) == Denial(
            f"{ending.name} did not take over within 1.5 s"
        )
        group.kill(leader.name)
        group.run_until(lambda: other.consensus.role is Role.LEADER, "the other leads")
        group.propose(other, "x")
        group.settle("x")
        assert Role.LEADER not in ending.roles


def test_transfer_to_a_member_that_cannot_lead_is_refused_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        dead, asker = group.followers
        group.kill(dead.name)
        group.run_until(lambda: not leader.consensus.may_take_over(dead.name), "its silence is noticed")
        heard: list[Denial | None] = []
        asker.consensus.transfer(dead.name, heard.append)
        group.run_until(lambda: heard != [], "the leader's word")
        assert heard == [Denial(f"{dead.name} does not answer")]
        assert not leader.consensus._changes.hands_over, "proposals go on"


def test_removed_leader_hands_over_and_ends(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        group.run_until(lambda: all(m.uid for m in leader.consensus.membership.members), "all bound")
        group.run_until(lambda: leader.consensus.remove_member(leader.name) is None, "the leader is to go")
        others = [m for m in group.members.values() if m is not leader]
        group.run_until(
            lambda: all(leader.name not in m.consensus.membership.voters for m in others), "it is removed"
        )
        group.run_until(lambda: "removed" in leader.fatal, "it ends")
        group.kill(leader.name)
        group.propose(others[0], "z")
        group.settle("z")


def test_peers_tell_each_other_how_they_are(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        group.run_until(
            lambda: all(p.offset_ms is not None and p.status for p in leader.consensus.peers()), "status"
        )
        for peer in leader.consensus.peers():
            assert peer.reachable
            assert peer.status == {"free_bytes": 12345, "who": peer.name}
            assert abs(peer.offset_ms or 0) < 1000
            assert peer.silent_ms is not None


def test_proposal_over_the_limit_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        with pytest.raises(ValueError, match="1048576 at most"):
            leader.consensus.propose(b"x" * ((1 << 20) + 1))
        group.propose(leader, "y" * (1 << 20))
        group.settle("y" * (1 << 20))


def test_a_leader_leaves_out_what_is_too_large_or_empty_of_what_a_follower_forwards(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader, follower = group.elect(), group.followers[0]
        forwarded = [b"x" * ((1 << 20) + 1), b"", b"the rest"]

        message = {"type": "propose", "proposals": forwarded, "can_wait": False}
        leader.consensus.received(follower.name, message)

        group.settle("the rest")
        assert leader.consensus.role is Role.LEADER
        assert not [text for text in leader.machine.proposals if not text or text.startswith("x")]


def test_follower_hears_at_once_why_the_leader_refuses(tmp_path: Path) -> None:
    """What the follower itself could not know: that no majority would be left."""
    with running(tmp_path) as group:
        leader = group.elect()
        group.run_until(lambda: all(m.uid for m in leader.consensus.membership.members), "all bound")
        dead, asker = group.followers
        group.kill(dead.name)
        group.run_until(lambda: leader.consensus._raft.answered("abc", 1.0) == 2, "the dead one is noticed")

        for ask in (
            lambda told: asker.consensus.remove_member(leader.name, told),
            lambda told: asker.consensus.remove_member(asker.name, told),
        ):
            heard: list[Denial | None] = []
            assert ask(heard.append) is None  # passed on
            group.run_until(lambda words=heard: words != [], "the leader's word")
            assert "no majority of the 2 voting members" in reason_of(heard[0])

        heard = []
        assert asker.consensus.remove_member(dead.name, heard.append) is None
        group.run_until(lambda: dead.name not in asker.consensus.membership.voters, "it is removed")
        assert heard == [None]


def test_two_changes_at_once_one_is_refused_by_the_others_name(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        group.run_until(lambda: all(m.uid for m in leader.consensus.committed_membership.members), "bound")
        first: list[Denial | None] = []
        second: list[Denial | None] = []
        leader.consensus.add_member("d", "127.0.0.1:1", told=first.append)
        leader.consensus.remove_member(group.followers[0].name, second.append)
        assert first == [None]
        assert "d is being added" in reason_of(second[0])
        assert second[0] is not None
        assert second[0].is_passing
        group.run_until(lambda: "d" in leader.consensus.committed_membership.learners, "d is admitted")
        assert len(leader.consensus.membership.voters) == 3


def test_change_waits_for_the_leaders_own_work(tmp_path: Path) -> None:
    """A new leader that has not committed its first entry yet is no reason to refuse a person."""
    with running(tmp_path) as group:
        group.run_until(lambda: group.leader is not None, "a leader")
        leader = group.leader
        assert leader is not None
        assert not leader.consensus._raft.settled()
        heard: list[Denial | None] = []
        assert leader.consensus.add_member("d", "127.0.0.1:1", told=heard.append) is None
        assert heard == []
        group.run_until(lambda: "d" in leader.consensus.membership.learners, "d is admitted")
        assert heard == [None]


def test_change_that_the_leader_never_answers_is_not_called_refused(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        asker = group.followers[0]
        group.run_until(lambda: asker.consensus.leader == leader.name, "the follower knows its leader")
        heard: list[Denial | None] = []
        assert asker.consensus.add_member("d", "127.0.0.1:1", told=heard.append) is None
        group.kill(leader.name)
        group.run_until(lambda: heard != [], "an answer")
        assert heard == [None]
