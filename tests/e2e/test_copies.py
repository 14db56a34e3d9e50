"""Copies between real nodes: cut and killed on the way, they go on where they stopped; nobody is elected."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pytest

from bench.cluster import PORTS_A_NODE, Cluster, Node, wait_for, write_node_config
from bench.compaction import bytes_under
from bench.inventory import seed
from bench.relay import Relay, relayed
from tests.e2e.cluster import DEADLINE_S, NewCluster, delete_jobs, judge_file, knob, steady_load
from tests.e2e.starvation import no_election

pytestmark = pytest.mark.cluster

JOBS = knob("COPY_JOBS", 3_000)
RUNS_A_JOB = knob("COPY_RUNS_A_JOB", 5)
TAIL_BYTES = 2_048
LOAD_JOBS = 20
WASTED_A_CUT_BYTES = 8 << 20  #: what was asked for in advance, and what the sockets held
SYNCED_BYTES = 24 << 20  #: what a killed receiver may have to ask for again
LOG_BYTES_MAX = 1 << 20


def test_a_copy_that_is_cut_and_whose_receiver_is_killed_goes_on_where_it_stopped(
    new_cluster: NewCluster,
) -> None:
    cluster = new_cluster(slots=500)
    seed(cluster, jobs=JOBS, runs=JOBS * RUNS_A_JOB, tail_bytes=TAIL_BYTES)
    for node in cluster.nodes:
        raft = {"log_bytes_max": LOG_BYTES_MAX}
        write_node_config(node, cluster.nodes, uid=cluster.uid, token=cluster.token, raft=raft)
    cluster.start()
    oracles, file, from_ms = steady_load(cluster, LOAD_JOBS, apart_ms=50)
    leader = cluster.leader()
    wiped = next(node for node in reversed(cluster.nodes) if node is not leader)
    raft_port = max(int(node.raft.rpartition(":")[2]) for node in cluster.nodes) + PORTS_A_NODE
    with no_election(cluster):
        wiped.kill()
        shutil.rmtree(wiped.data)
        cluster.set_nodes([node for node in cluster.nodes if node is not wiped])
        cluster.client.ask("DELETE", f"/v1/cluster/members/{wiped.name}")

        copy_bytes = bytes_under(leader.data / "state", "state.db")
        cuts = [copy_bytes // 5, copy_bytes * 2 // 5, copy_bytes * 4 // 5]
        with relayed(raft_port + 1, raft_port, cuts) as relay:
            fresh = _join(cluster, wiped, raft_port)
            _kill_in_the_middle(fresh, relay, copy_bytes * 3 // 5)
            cluster.wait_ready()
            sent_bytes = relay.passed_bytes
            assert relay.cuts == len(cuts)
            assert "going on with a copy" in fresh.log.read_text()
            assert sent_bytes < copy_bytes * 1.1 + len(cuts) * WASTED_A_CUT_BYTES + SYNCED_BYTES
            judgement = judge_file(oracles, file, from_ms=from_ms, until_ms=int(time.time() * 1000))
            assert judgement.clean, judgement
            delete_jobs(cluster, oracles)
            heads = cluster.equal_heads()
            assert len({(state, head) for _, state, head in heads.values()}) == 1, heads


def _join(cluster: Cluster, wiped: Node, raft_port: int) -> Node:
    """Starts a node of a new name that the others reach through the relay."""
    fresh = Node(
        "node-4",
        wiped.zone,
        wiped.directory.parent / "node-4",
        "node",
        url=f"http://127.0.0.1:{raft_port - 1}",
        raft=f"127.0.0.1:{raft_port}",
    )
    reached = f"127.0.0.1:{raft_port + 1}"
    write_node_config(
        fresh,
        cluster.nodes,
        uid=cluster.uid,
        token=cluster.token,
        extra={"join": True},
        raft={"address": reached},
    )
    fresh.start()
    cluster.set_nodes([*cluster.nodes, fresh])
    member = {"name": fresh.name, "address": reached, "zone": fresh.zone, "url": fresh.url}
    cluster.client.ask("POST", "/v1/cluster/members?unasked=true", member)
    return fresh


def _kill_in_the_middle(fresh: Node, relay: Relay, at_bytes: int) -> None:
    """Kill -9 of the whole receiver once so much has come; then it starts again."""
    wait_for(lambda: relay.passed_bytes >= at_bytes, 3 * DEADLINE_S, "the copy half way", 0.005)
    os.kill(fresh.pids()["core"], signal.SIGKILL)
    fresh.kill()
    assert bytes_under(fresh.data / "copies", "copy.in"), "the copy was there before the kill"
    fresh.start()
