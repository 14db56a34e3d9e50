"""A node whose state differs from the majority's stops serving and comes back with theirs."""

from __future__ import annotations

import sqlite3

import pytest

from bench.cluster import wait_for
from bench.jobs import every_second
from tests.e2e.cluster import DEADLINE_S, NewCluster

pytestmark = pytest.mark.cluster


def test_a_node_made_to_differ_sets_its_state_aside_and_recovers(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.start()
    cluster.client.apply(
        [every_second(f"steady-{i}", {"noop": True}, offset_ms=i * 100)[0] for i in range(10)]
    )
    leader = cluster.leader()
    victim = next(node for node in cluster.nodes if node is not leader)
    victim.kill()
    state = victim.data / "state" / "1" / "state.db"
    with sqlite3.connect(state) as connection:  # what a flipped bit or a defect would do
        connection.execute("UPDATE state SET hash = zeroblob(32)")
    connection.close()
    victim.start()

    kept = victim.data / "state" / "diverged-1" / "state.db"
    wait_for(kept.exists, DEADLINE_S, "the state that differs is set aside")
    wait_for(lambda: "core ended with 75" in victim.log_tail(), DEADLINE_S, "the core ends")
    assert "differs from the majority" in victim.log_tail()
    cluster.wait_ready()  # a new core, under the same supervisor, takes the others' state
    for job in range(10):
        cluster.client.ask("DELETE", f"/v1/jobs/steady-{job}")
    heads = cluster.equal_heads()
    assert len({(state, head) for _, state, head in heads.values()}) == 1, heads
