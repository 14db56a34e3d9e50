"""What belongs to a node comes back from an earlier time: its journal alone, or all of its data."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator

import pytest

from cluster.disk import FileDisk
from cluster.hardening import ALL_ON
from cluster.journal import Journal, JournalError
from cluster.seen import FILE, PEERS_MAX, Seen
from cluster.simulation.disk import SimulatedDisk
from cluster.simulation.world import Node, Plan, World

CALM = Plan(
    fault_every_s=1e9, kills=False, lossy=False, disk_errors=False, pauses=False, trims=False, clocks=False,
    members=False, late=False,
)  # fmt: skip


@pytest.fixture
def world() -> Iterator[World]:
    made = World(1, CALM)
    for name in made.nodes:
        made.start(name)
    made.begin_clients()
    made.run_until(made.now() + 3)
    yield made
    for node in made.nodes.values():
        if node.consensus is not None:
            node.consensus.abandon()


def told(world: World) -> list[str]:
    return [str(violation) for violation in world.invariants.violations]


def restart(world: World, node: Node, seconds: float = 2) -> None:
    world.kill(node.name, lossy=False)
    world.start(node.name)
    world.run_until(world.now() + seconds)


def test_a_journal_of_the_same_life_under_a_newer_state_is_refused(world: World) -> None:
    """A snapshot of the log alone, taken while the node ran."""
    node = world.nodes["n0"]
    older = copy.deepcopy(node.disk)
    world.run_until(world.now() + 2)
    world.kill("n0", lossy=False)
    node.disk = older
    world.start("n0")
    assert "older one that was put back, or its end is lost" in told(world)[0]
    assert "join again under a new name" in told(world)[0]
    assert node.consensus is None


def test_a_journal_of_an_earlier_life_is_refused_though_nothing_was_applied_since(world: World) -> None:
    node = world.nodes["n0"]
    world.kill("n0", lossy=False)
    older = copy.deepcopy(node.disk)
    rows = len(node.machine.rows)  # type: ignore[attr-defined]  # of a world of rows
    for name in ("n1", "n2"):
        world.kill(name, lossy=False)
    world.start("n0")  # alone: it can elect nobody, and apply nothing
    world.run_until(world.now() + 3)
    world.kill("n0", lossy=False)
    assert len(node.machine.rows) == rows  # type: ignore[attr-defined]  # as above
    node.disk = older
    world.start("n0")
    assert "put back: it was last used in life 1 of this node, which has had 2" in told(world)[0]


def test_the_right_journal_put_back_is_taken(world: World) -> None:
    node = world.nodes["n0"]
    older = copy.deepcopy(node.disk)
    world.run_until(world.now() + 2)
    world.kill("n0", lossy=False)
    right, node.disk = node.disk, older
    world.start("n0")
    assert world.invariants.violations
    world.invariants.violations.clear()
    node.disk = right
    restart(world, node)
    assert not told(world)
    assert node.consensus is not None


@pytest.mark.parametrize("met_by", [2, 1])
def test_a_node_whose_whole_data_is_older_is_refused_by_those_who_met_it_since(
    world: World, met_by: int
) -> None:
    """Alone it cannot know. It ends when more than half of the others say so."""
    node = world.nodes["n0"]
    world.kill("n0", lossy=False)
    disk, seen, machine = copy.deepcopy(node.disk), copy.deepcopy(node.seen), copy.deepcopy(node.machine)
    if met_by == 1:
        world.kill("n2", lossy=False)
    for _ in range(2):
        world.start("n0")
        world.run_until(world.now() + 2)
        world.kill("n0", lossy=False)
    world.start("n2")
    node.disk, node.seen, node.machine = disk, seen, machine
    world.start("n0")
    world.run_until(world.now() + 3)
    refused = [words for words in told(world) if "comes with the data of an earlier time" in words]
    assert bool(refused) == (met_by == 2), told(world)
    assert not world.nodes["n1"].consensus or "n0" not in world.network.ends["n1"].up


def test_peers_that_start_again_still_know(world: World) -> None:
    node = world.nodes["n0"]
    world.kill("n0", lossy=False)
    disk, seen, machine = copy.deepcopy(node.disk), copy.deepcopy(node.seen), copy.deepcopy(node.machine)
    for _ in range(2):
        world.start("n0")
        world.run_until(world.now() + 2)
        world.kill("n0", lossy=False)
    for name in ("n1", "n2"):
        restart(world, world.nodes[name])
    node.disk, node.seen, node.machine = disk, seen, machine
    world.start("n0")
    world.run_until(world.now() + 3)
    assert any("comes with the data of an earlier time" in words for words in told(world))


def test_a_vote_that_an_older_journal_lacks_is_missed() -> None:
    rng = random.Random(1)
    disk, seen = SimulatedDisk("a", rng), SimulatedDisk("a-seen", rng)
    journal = Journal(disk, seen=seen)
    journal.begin_life()
    journal.store_vote(3, None)
    journal.sync()
    older = copy.deepcopy(disk)
    journal.store_vote(3, "b")
    voted = copy.deepcopy(disk)
    journal.store_vote(4, None)
    journal.sync()
    with pytest.raises(JournalError, match="at term 3, and this node was at 4"):
        Journal(copy.deepcopy(voted), seen=copy.deepcopy(seen))
    journal.store_vote(4, "c")
    with pytest.raises(JournalError, match="term 3, and this node was at 4"):
        Journal(older, seen=copy.deepcopy(seen))
    again = Journal(disk, seen=seen)
    again.begin_life()
    assert (again.term, again.vote, again.life) == (4, "c", 2)


def test_the_vote_of_the_same_term_counts() -> None:
    rng = random.Random(1)
    disk, seen = SimulatedDisk("a", rng), SimulatedDisk("a-seen", rng)
    journal = Journal(disk, seen=seen)
    journal.begin_life()
    journal.store_vote(3, None)
    journal.sync()
    older = copy.deepcopy(disk)
    journal.store_vote(3, "b")
    with pytest.raises(JournalError, match="lacks the vote for b in term 3"):
        Journal(older, seen=seen)


def test_a_crash_between_journal_and_note_refuses_nothing() -> None:
    rng = random.Random(1)
    disk, seen = SimulatedDisk("a", rng), SimulatedDisk("a-seen", rng)
    journal = Journal(disk, seen=seen)
    journal.begin_life()
    journal.store_vote(3, "b")
    before = copy.deepcopy(seen)
    journal.store_vote(4, "c")
    assert Journal(disk, seen=before).vote == "c"


def test_a_note_that_is_gone_is_made_anew_and_a_damaged_one_refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("node")
    log, beside = place / "log", place / "log-seen"
    for _ in range(2):
        journal = Journal(FileDisk(log), seen=FileDisk(beside))
        journal.begin_life()
        journal.close()
    (beside / FILE).unlink()
    journal = Journal(FileDisk(log), seen=FileDisk(beside))
    journal.begin_life()
    journal.close()
    content = bytearray((beside / FILE).read_bytes())
    content[-1] ^= 1
    (beside / FILE).write_bytes(content)
    with pytest.raises(JournalError, match="its checksum is wrong"):
        Journal(FileDisk(log), seen=FileDisk(beside))


def test_a_crash_after_a_copy_took_the_states_place_is_no_older_journal() -> None:
    """The one right way to a state beyond the log's end (cluster.restore)."""
    rng = random.Random(1)
    disk = SimulatedDisk("a", rng)
    journal = Journal(disk)
    journal.append(b"x", 1, 0)
    journal.sync()
    journal.store_install(40, 3)
    assert Journal(disk).installs == (40, 3)
    journal.reset(40, 3)
    assert Journal(disk).installs == (0, 0)


def test_who_was_met_is_kept_within_bounds() -> None:
    disk = SimulatedDisk("a-seen", random.Random(1))
    seen = Seen(disk)
    for number in range(PEERS_MAX + 5):
        seen.met(f"uid-{number}", 2, "s")
    again = Seen(disk)
    assert again.comes_back("uid-0", 1, "s") is None  # forgotten
    assert again.comes_back(f"uid-{PEERS_MAX}", 1, "s") == 2
    assert again.comes_back(f"uid-{PEERS_MAX}", 2, "other") == 2
    assert again.comes_back(f"uid-{PEERS_MAX}", 2, "s") is None
    assert again.comes_back(f"uid-{PEERS_MAX}", 3, "any") is None
    assert ALL_ON.refuse_older_peer
