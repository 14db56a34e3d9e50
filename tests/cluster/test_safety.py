"""Holes that a review of this consensus found, each as the story that went wrong."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import msgpack
import pytest

from cluster.consensus import Consensus
from cluster.copies import pack_applied
from cluster.disk import Disk
from cluster.journal import Journal
from cluster.machine import Applied, Position
from cluster.membership import Member, Membership
from cluster.raft import MEMBERSHIP, REGULAR, Role
from cluster.restore import pack_members
from cluster.settings import ClusterSettings, Founder
from cluster.simulation.disk import Death, SimulatedDisk
from cluster.simulation.machine import SimulatedMachine
from cluster.simulation.network import Network, SimulatedLinks
from cluster.simulation.world import World
from cluster.wire import Hello
from tests.cluster.members import free_port, reason_of, running
from tests.cluster.test_hardening import Bench


class Crash(BaseException):
    """kill -9 at this place."""


class Alone:
    """One node, by hand, on a disk and with a state that outlive it."""

    def __init__(self, directory: Path, founders: str = "a", disk: Disk | None = None) -> None:
        self.directory, self.founders = directory, founders
        self.disk = disk or SimulatedDisk("a", random.Random(1))
        self.machine = SimulatedMachine(random.Random(1))
        self.world = World(1)

    def start(self) -> Consensus:
        network = Network(self.world, random.Random(1), late=False, latency_s=0.001)
        founders = [Founder(name, f"{name}:1") for name in self.founders]
        return Consensus(
            ClusterSettings("c", "a", "u", "a:1", founders, self.directory / "journal", self.directory),
            self.machine,
            SimulatedLinks(network, "a", lambda call: None),
            clock=self.world.now,
            wall_ms=lambda: 1,
            rng=random.Random(1),
            on_lead=lambda: b"lead",
            disk=self.disk,
        )

    def copy_at(self, index: int, term: int) -> tuple[Path, Applied]:
        """A state of another node, as one entry that stands for all."""
        members = pack_members(Membership.founded([Founder(n, f"{n}:1") for n in self.founders]).encode(), 0)
        applied = Applied(Position(index, term), Position(index - 1, term), members)
        path = self.directory / "copy.in"
        path.write_bytes(msgpack.packb([(pack_applied(applied), 0, [b"all"])]))
        return path, applied


def test_metadata_between_truncation_and_sync_commit_nothing_of_the_cut_tail() -> None:
    """The new leader's entries replace a tail and commit; a vote and the metadata are stored; the process is
    killed before the sync. On disk is the old tail: it must not be taken for committed."""
    bench = Bench("abc")
    bench.elect("a", "b")
    bench.append("a", 5)
    bench.journals["a"].sync()
    assert bench.log("a")[-1] == (7, 1)
    base = {"type": "append_entries", "term": 3, "behind": False}
    data = bytes([REGULAR]) + b"other"
    news = [(data, 3, 3), (data, 4, 3), (data, 5, 3)]
    bench["a"].deliver("c", {**base, "commit_index": 5, "prevLogIdx": 2, "prevLogTerm": 1, "entries": news})
    assert bench["a"].commit() == 5
    bench["a"].deliver("b", {"type": "request_vote", "term": 9, "last_log_index": 9, "last_log_term": 8})
    bench.journals["a"].store_install(40, 9)
    again = Journal(bench.disks["a"])
    assert again.term == 9
    assert again.entries[4][1:] == (5, 1)
    assert again.commit_index <= 2


def test_what_a_killed_process_never_synced_is_synced_before_it_counts() -> None:
    """Written, killed before the sync, read again, acknowledged because it matches; then the power fails."""
    bench = Bench("abc")
    disk = bench.disks["a"]
    journal = bench.journals["a"]
    for index in range(2, 6):
        journal.append(bytes([REGULAR]) + b"entry", index, 1)
    disk.dies_in = 2  # the write passes, the sync does not
    with pytest.raises(Death):
        journal.sync()
    disk.dies_in = None
    again = Journal(disk)
    assert (again.last_index, again.synced_index) == (5, 5)
    disk.crash()
    assert Journal(disk).last_index == 5


def test_crash_between_copy_and_log_is_no_refusal_to_start(tmp_path: Path) -> None:
    """A deposed leader with a long tail that never committed pulls a copy and is killed right after it became
    the state."""
    alone = Alone(tmp_path, "abc")
    journal = Journal(alone.disk)
    journal.append(b"\x01", 1, 0)
    for index in range(2, 60):
        journal.append(bytes([REGULAR]) + msgpack.packb([0, []]), index, 1)
    journal.store_vote(1, "a")
    journal.close()
    node = alone.start()
    installed = alone.machine.install

    def install_and_die(path: Path, applied: Applied) -> None:
        installed(path, applied)
        raise Crash

    alone.machine.install = install_and_die  # type: ignore[method-assign]  # the crash, not the state, is told here
    with pytest.raises(Crash):
        node._exchange.install(*alone.copy_at(40, 5))
    again = alone.start()
    assert again.applied == Position(40, 5)
    assert (again.last_index, again.term) == (40, 5)


def test_copy_below_the_own_log_is_not_taken(tmp_path: Path) -> None:
    """The state is lost, the log begins at 100 and was acknowledged up to 120. An older copy would have the
    node forget that, and vote for one who never had it."""
    alone = Alone(tmp_path, "abc")
    journal = Journal(alone.disk)
    journal.append(b"\x01", 1, 0)
    journal.reset(100, 2)
    for index in range(101, 121):
        journal.append(bytes([REGULAR]) + msgpack.packb([0, []]), index, 2)
    journal.close()
    node = alone.start()
    assert not node._exchange.install(*alone.copy_at(90, 2))
    assert (node.log[0][1], node.last_index) == (100, 120)
    assert node._exchange.install(*alone.copy_at(110, 2))
    assert node.last_index == 120
    assert node.applied == Position(110, 2)


def test_removal_that_is_not_committed_ends_nobody(tmp_path: Path) -> None:
    alone = Alone(tmp_path, "abc")
    node = alone.start()
    hello = Hello("c", "b", "uid-b", 1, 1, "", "b:1", "", 1, False)
    assert node.vet(hello) is None
    links = node._links
    removed = node.membership.without("b")
    entry = (bytes([MEMBERSHIP]) + removed.encode(), 2, 1)
    append = {"type": "append_entries", "term": 1, "behind": False, "prevLogIdx": 1, "prevLogTerm": 0}
    node.received("c", {**append, "commit_index": 1, "entries": [entry]})
    assert node.membership.get("b") is None
    assert node.vet(hello) is None
    assert "b" in links.peers  # type: ignore[attr-defined]  # the simulated links of this test
    node.received("c", {**append, "commit_index": 2, "entries": [entry]})
    node.turn()
    refusal = node.vet(hello)
    assert refusal is not None
    assert refusal.final
    assert "b" not in links.peers  # type: ignore[attr-defined]  # as above


def test_node_that_was_away_listens_to_a_leader_that_came_since(tmp_path: Path) -> None:
    """Its log does not know the newcomer; refused, that one could never lead it back (seed 168). But anybody
    can say that it is one: another member has to tell of it."""
    node = Alone(tmp_path, "abc").start()
    newcomer = Hello("c", "d", "uid-d", 1, 1, "", "mallory:1", "", 1, False)
    first = node.vet(newcomer)
    assert first is not None
    assert first.code == "unknown"
    peers = node._links.peers  # type: ignore[attr-defined]  # the simulated links of this test
    assert "d" not in peers
    members = node.membership.put(Member("d", "d:1", "", "", "uid-d", True)).encode()
    status = {"type": "status", "sent_ms": 1, "echo_ms": 1, "hold_ms": 0}
    node.received("mallory", {**status, "status": {"applied": 9, "members": members}})
    assert node.vet(newcomer) is not None
    node.received("b", {**status, "status": {"applied": 9, "members": members}})
    assert node.vet(newcomer) is None
    peers = node._links.peers  # type: ignore[attr-defined]  # as above
    assert peers["d"] == "d:1"
    refusal = node.vet(Hello("c", "e", "uid-e", 1, 1, "", "e:1", "", 1, True))
    assert refusal is not None  # it has no vote and no state: somebody has to admit it first
    assert refusal.code == "unknown"


def test_single_voter_applies_nothing_before_it_is_on_its_disk(tmp_path: Path) -> None:
    alone = Alone(tmp_path)
    node = alone.start()
    seen: list[int] = []

    def on_disk(row: object) -> None:
        """What a node would find after kill -9 now."""
        seen.append(Journal(alone.disk).last_index)

    alone.machine.on_apply = on_disk
    for _ in range(20):
        alone.world.run_until(alone.world.now() + 0.3)
        node.turn()
    assert node.role is Role.LEADER
    assert len(seen) >= 2
    assert all(last >= index for index, last in enumerate(seen, 2))


def test_answer_to_an_old_question_deposes_no_leader() -> None:
    """The others said that they would vote, but a leader was heard before their word arrived."""
    bench = Bench("abc")
    bench.tick("c", after_s=1.0)
    bench["b"].deliver("c", next(m for _, t, m in bench.sent if t == "b" and m["type"] == "prevote"))
    late = list(bench.take("b", "c", "prevoted"))
    assert late[0][2]["granted"]
    bench.elect("a", "b")
    bench["c"].deliver("a", next(m for _, t, m in bench.take("a", "c", "append_entries")))
    bench.tick("c", after_s=0.01)
    for source, _, message in late:
        bench["c"].deliver(source, message)
    bench.tick("c", after_s=0.01)
    assert bench["c"].term() == bench["a"].term()


def test_removal_that_would_stop_the_cluster_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as group:
        leader = group.elect()
        group.run_until(lambda: all(m.uid for m in leader.consensus.membership.members), "all bound")
        dead, alive = (m.name for m in group.followers)
        group.kill(dead)

        def refused() -> bool:
            # The dead one counts as answering until the fallback time is over.
            return leader.consensus._raft.answered("abc", 1.0) == 2

        group.run_until(refused, "the dead one is noticed")
        assert "would stop" in reason_of(leader.consensus.remove_member(alive))
        assert "would stop" in reason_of(leader.consensus.remove_member(leader.name))
        group.run_until(lambda: leader.consensus.remove_member(dead) is None, "the dead one goes")
        group.propose(leader, "x")
        group.settle("x")


def test_learner_that_went_silent_gets_no_vote(tmp_path: Path) -> None:
    """A vote for a node that does not answer would take the others their majority."""
    with running(tmp_path) as group:
        leader = group.elect()
        group.run_until(lambda: all(m.uid for m in leader.consensus.membership.members), "all bound")
        address = group.addresses.setdefault("d", f"127.0.0.1:{free_port()}")
        group.run_until(lambda: leader.consensus.add_member("d", address) is None, "d is admitted")
        group.run_until(lambda: "d" in leader.consensus.membership.learners, "d is a learner")
        raft = leader.consensus._raft
        answered = raft.answered

        def silent(names: Iterable[str], within_s: float) -> int:
            """As it is after the time, at once: the last answer of d is long ago."""
            return answered([n for n in names if n != "d"], within_s)

        raft.answered = silent  # type: ignore[method-assign]  # the passing of time, not the decision
        group.start("d", joining=True)
        group.run_until(lambda: raft.match("d") + 5 > leader.consensus.last_index, "d follows")
        for number in range(5):
            group.propose(leader, f"p{number}")
            group.applied_by(leader, f"p{number}")
        assert "d" in leader.consensus.membership.learners
        raft.answered = answered  # type: ignore[method-assign]  # as above
        group.run_until(lambda: "d" in leader.consensus.membership.voters, "d votes")
