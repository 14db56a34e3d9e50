"""A state file that the disk has harmed: the node never serves it, never leads with it, and is soon equal to
the others again."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from bench.cluster import Cluster, Node, wait_for
from tests.e2e.cluster import DEADLINE_S, NewCluster
from tests.e2e.starvation import no_election
from tests.node.damaged import PAGE_BYTES, TABLE_INTERIOR, TABLE_LEAF, flip, flip_many, pages_of, place_of

pytestmark = pytest.mark.cluster

JOBS = 100
EXIT_REFUSED = 78


def filled(cluster: Cluster) -> Node:
    """An inventory that fills some hundred pages. Gives a follower that is down."""
    cluster.client.apply(
        [
            {"job": f"yearly-{i}", "triggers": {"cron": "0 0 1 1 *"}, "run": f"/bin/echo {i:0400}"}
            for i in range(JOBS)
        ]
    )
    heads = cluster.equal_heads()
    assert len({hashes for _, hashes, _ in heads.values()}) == 1
    leader = cluster.leader()
    victim = next(node for node in cluster.nodes if node is not leader)
    assert victim.end() == 0
    checkpoint(state_file(victim))
    for node in cluster.nodes:  # what an earlier test has left
        for aside in set_aside(node):
            shutil.rmtree(aside)
        os.truncate(node.log, 0)
    return victim


def set_aside(node: Node) -> list[Path]:
    """The states that it found to be none."""
    return list((node.data / "state").glob("diverged-*"))


def checkpoint(file: Path) -> None:
    """All of the state is in it, and none in the log beside it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def state_file(node: Node) -> Path:
    generation = (node.data / "state" / "CURRENT").read_text()
    return node.data / "state" / generation / "state.db"


def overwrite_a_leaf(file: Path) -> None:
    page = random.Random(1).choice(pages_of(file, TABLE_LEAF))
    with file.open("r+b") as raw:
        raw.seek(page * PAGE_BYTES)
        raw.write(bytes(range(256)) * (PAGE_BYTES // 256))


def flip_the_magic(file: Path) -> None:
    flip(file, 3)


def flip_200(file: Path) -> None:
    flip_many(file, 200, seed=7)


@pytest.mark.parametrize("harm", [flip_200, overwrite_a_leaf, flip_the_magic])
def test_follower_that_comes_back_with_a_damaged_state_takes_the_majoritys(
    cluster: Cluster, harm: Callable[[Path], None]
) -> None:
    victim = filled(cluster)
    harm(state_file(victim))
    number = cluster.nodes.index(victim)

    with no_election(cluster):
        victim.start()
        pid = victim.pids()["supervisor"]
        wait_for(lambda: cluster.ready(number), DEADLINE_S, "the follower is ready")

    assert set_aside(victim), victim.log_tail()
    assert victim.pids()["supervisor"] == pid, "its supervisor went on with a new core"
    assert "Traceback" not in victim.log_tail()
    heads = cluster.equal_heads()
    assert len({hashes for _, hashes, _ in heads.values()}) == 1, heads
    verified = cluster.client.send("GET", "/v1/ledger/verify", node=number)
    assert verified.status == 200, verified


def test_damage_that_a_reader_meets_while_the_node_runs_is_not_served(cluster: Cluster) -> None:
    victim = filled(cluster)
    victim.start()
    cluster.wait_ready()
    number = cluster.nodes.index(victim)

    for page in pages_of(state_file(victim), TABLE_INTERIOR):
        flip(state_file(victim), page * PAGE_BYTES, 7)

    def read() -> bool:
        with suppress(OSError, HTTPException):  # its front goes with its core
            reply = cluster.client.send("GET", "/v1/jobs?consistency=stale&limit=500", node=number)
            assert reply.status in (200, 503), reply
        return bool(set_aside(victim))

    wait_for(read, DEADLINE_S, "the state is set aside", 0.1)
    wait_for(lambda: "core ended with 75" in victim.log.read_text(), DEADLINE_S, "its core ends")
    wait_for(lambda: cluster.ready(number), DEADLINE_S, "the follower is ready again")
    assert len({hashes for _, hashes, _ in cluster.equal_heads().values()}) == 1


def test_single_flipped_bit_in_a_value_is_found_by_comparing_and_mended(cluster: Cluster) -> None:
    """SQLite finds nothing wrong with the file, and no hash differs."""
    victim = filled(cluster)
    command = f"/bin/echo {42:0400}"
    flip(state_file(victim), place_of(state_file(victim), command.encode()) + 200)

    victim.start()
    number = cluster.nodes.index(victim)
    cluster.wait_ready()
    # A strained leader takes its time.
    wait_for(lambda: set_aside(victim), 10 * DEADLINE_S, "the comparison finds it", 0.2)

    assert "rows in the state of this node differ from the majority's" in victim.log.read_text()
    wait_for(lambda: "core ended with 75" in victim.log.read_text(), DEADLINE_S, "its core ends")
    wait_for(lambda: cluster.ready(number), DEADLINE_S, "the follower is ready again")
    assert len({hashes for _, hashes, _ in cluster.equal_heads().values()}) == 1
    told = cluster.client.send("GET", "/v1/jobs/yearly-42?consistency=stale", node=number).body
    assert command.encode() in told
    for other in cluster.nodes:
        assert other is victim or not set_aside(other)


def test_node_that_is_alone_ends_with_words_and_changes_nothing(new_cluster: NewCluster) -> None:
    cluster = new_cluster(nodes=1, agents=0)
    cluster.start()
    cluster.client.apply(
        [{"job": f"yearly-{i}", "triggers": {"cron": "0 0 1 1 *"}, "noop": True} for i in range(JOBS)]
    )
    (node,) = cluster.nodes
    assert node.end() == 0
    checkpoint(state_file(node))
    flip_200(state_file(node))
    harmed = state_file(node).read_bytes()

    node.start()

    assert node.process is not None
    assert node.process.wait(DEADLINE_S) == EXIT_REFUSED
    assert "restore a backup" in node.log_tail()
    assert "Traceback" not in node.log_tail()
    assert state_file(node).read_bytes() == harmed
    node.process = None
