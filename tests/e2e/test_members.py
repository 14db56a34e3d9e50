"""Members: a wiped node is refused under its old identity, and joins as a new one while load runs."""

from __future__ import annotations

import shutil
import time

import pytest

from bench.cluster import Node, wait_for, write_node_config
from tests.e2e.cluster import DEADLINE_S, NewCluster, delete_jobs, judge_file, steady_load
from tests.e2e.starvation import no_election

pytestmark = pytest.mark.cluster

JOBS = 20
BULK = 2_000  #: jobs that the new node has to copy
EXIT_REFUSED = 78


def test_a_wiped_node_is_refused_and_joins_as_a_new_one_under_load(new_cluster: NewCluster) -> None:
    cluster = new_cluster(slots=500)
    cluster.start()
    cluster.client.apply([{"job": f"bulk-{i}", "run": "true"} for i in range(BULK)])
    oracles, file, from_ms = steady_load(cluster, JOBS, apart_ms=50)
    leader = cluster.leader()
    wiped = next(node for node in reversed(cluster.nodes) if node is not leader)

    with no_election(cluster):
        wiped.kill()
        shutil.rmtree(wiped.data)
        wiped.start()
        process = wiped.process
        assert process is not None
        assert wait_for(lambda: process.poll() is not None, DEADLINE_S, "the wiped node ends")
        assert process.returncode == EXIT_REFUSED, wiped.log_tail()
        assert wiped.name in wiped.log_tail()
        cluster.set_nodes([node for node in cluster.nodes if node is not wiped])
        cluster.client.ask("DELETE", f"/v1/cluster/members/{wiped.name}")

        fresh = _join(cluster.nodes, wiped, uid=cluster.uid, token=cluster.token)
        fresh.start()
        cluster.set_nodes([*cluster.nodes, fresh])
        member = {"name": fresh.name, "address": fresh.raft, "zone": fresh.zone, "url": fresh.url}
        cluster.client.ask("POST", "/v1/cluster/members?unasked=true", member)
        cluster.wait_ready()

    assert cluster.client.send("GET", f"/v1/jobs/bulk-{BULK - 1}", node=len(cluster.nodes) - 1).status == 200
    judgement = judge_file(oracles, file, from_ms=from_ms, until_ms=int(time.time() * 1000))
    assert judgement.clean, judgement
    delete_jobs(cluster, oracles)
    heads = cluster.equal_heads()
    assert len({(state, head) for _, state, head in heads.values()}) == 1, heads


def _join(members: list[Node], wiped: Node, *, uid: str, token: str) -> Node:
    """A node of a new name, beside the old one's ports."""
    host, _, port = wiped.raft.rpartition(":")
    fresh = Node(
        "node-4",
        wiped.zone,
        wiped.directory.parent / "node-4",
        "node",
        url=f"http://{host}:{int(port) + 4}",
        raft=f"{host}:{int(port) + 5}",
    )
    write_node_config(fresh, members, uid=uid, token=token, extra={"join": True})
    return fresh
