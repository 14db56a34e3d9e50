"""An upgrade under load, node by node: versions side by side, the activation, and no way back after it.

The next version is `tests.next_format`; its format skips the ticks of jobs with a label, after a migration.
"""

from __future__ import annotations

import shutil
import time
from typing import Any

import pytest

from bench.cluster import Cluster, Node, wait_for, write_node_config
from bench.evidence import instant
from bench.jobs import append_tick, every_second
from tests.e2e.cluster import DEADLINE_S, NewCluster, command_line, delete_jobs, judge_file, wait_lines
from tests.next_format import NUMBER as NEXT

pytestmark = pytest.mark.cluster

JOBS = 10
BULK = 600  #: jobs that the migration has to bring into the new shape, 5 a slice
EXIT_REFUSED = 78
NEXT_VERSION = "tests.next_format.node"
THIS_VERSION = ""


def test_an_upgrade_under_load_loses_nothing_and_has_no_way_back(new_cluster: NewCluster) -> None:
    cluster = new_cluster(slots=200)
    cluster.start()
    file = cluster.root / "ticks.txt"
    made = [every_second(f"load-{i}", append_tick(file)) for i in range(JOBS)]
    oracles = [oracle for _, oracle in made]
    held, _ = every_second("held", {"noop": True, "labels": {"hold": "true"}})
    cluster.client.apply([{"job": f"bulk-{i}", "run": "true"} for i in range(BULK)])
    cluster.client.apply([held, *(job for job, _ in made)])
    from_ms = int(time.time() * 1000) + 1_000
    wait_lines(file, 2 * JOBS)
    first, second, third = cluster.nodes

    # Two versions follow the rules of one format, and until the activation there is a way back.
    restart_as(NEXT_VERSION, first, cluster)
    same_states(cluster, first)
    refused = command_line(cluster, "cluster", "activate", "--format", str(NEXT), "--dry-run")
    assert refused.returncode == 5, refused
    assert "node-2 supports format 1; node-3 supports format 1" in refused.stderr
    restart_as(THIS_VERSION, first, cluster)
    for node in (first, second, third):
        restart_as(NEXT_VERSION, node, cluster)
    same_states(cluster, first, second, third)
    assert formats_of(cluster) == {(NEXT - 1, NEXT - 1)}

    # The leader dies in the middle of the migration; the next one goes on.
    leader = cluster.leader()
    activated = command_line(cluster, "cluster", "activate", "--yes")
    assert f"format {NEXT} is activated" in activated.stdout, activated
    assert (NEXT - 1, NEXT) in formats_of(cluster), "the migration was over before its leader was killed"
    leader.kill()
    leader.start()
    wait_for(lambda: formats_of(cluster) == {(NEXT, NEXT)}, DEADLINE_S, "the new format on all nodes", 0.1)
    cluster.wait_ready()
    wait_for(lambda: "held" in reasons(ticks(cluster, 0, from_ms)), DEADLINE_S, "a tick by the new rules")

    # What was activated cannot be followed by the older version, as a member or as a new one.
    third.kill()
    assert "the state is of format 2, this version supports format 1" in refusal(third, THIS_VERSION)
    third.launcher = NEXT_VERSION
    third.start()
    fourth = admit(cluster)
    assert "node-4 supports format 1, and the cluster is at format 2" in refusal(fourth, THIS_VERSION)
    fourth.launcher = NEXT_VERSION  # as it was told
    fourth.start()
    cluster.set_nodes([*cluster.nodes, fourth])
    cluster.wait_ready()
    judgement = judge_file(oracles, file, from_ms=from_ms, until_ms=int(time.time() * 1000))
    assert judgement.clean, judgement
    delete_jobs(cluster, oracles)
    cluster.client.ask("DELETE", "/v1/jobs/held")
    heads = cluster.equal_heads()
    assert len({(state, head) for _, state, head in heads.values()}) == 1, heads
    assert not [kept for node in cluster.nodes for kept in (node.data / "state").glob("diverged-*")]
    told = [ticks(cluster, number, from_ms) for number in range(4)]
    assert all(each == told[0] for each in told), "the outcome changed at another index"
    changed = reasons(told[0]).index("held")
    assert changed > 0
    assert set(reasons(told[0])[:changed]) == {""}
    assert set(reasons(told[0])[changed:]) == {"held"}


def test_an_older_version_stops_before_an_activation_in_its_own_log(new_cluster: NewCluster) -> None:
    """A cluster without jobs comes to the newest format by itself."""
    cluster = new_cluster(nodes=1, agents=0)
    (node,) = cluster.nodes
    cluster.start()
    node.kill()
    state, before = node.data / "state", node.data.parent / "before"
    shutil.copytree(state, before)
    node.launcher = NEXT_VERSION
    node.start()
    wait_for(lambda: formats_of(cluster) == {(NEXT, NEXT)}, DEADLINE_S, "the newest format")
    node.kill()
    shutil.rmtree(state)
    before.rename(state)  # as if it had lost power before it applied the activation

    assert "the cluster activates format 2, and this version supports format 1" in refusal(node, THIS_VERSION)
    node.launcher = NEXT_VERSION
    node.start()
    wait_for(lambda: formats_of(cluster) == {(NEXT, NEXT)}, DEADLINE_S, "the newest format again")


def restart_as(version: str, node: Node, cluster: Cluster) -> None:
    """Stop the node in order and start that version of it, as an upgrade does."""
    node.end()
    node.launcher = version
    node.start()
    cluster.wait_ready()


def refusal(node: Node, version: str) -> str:
    """What a node says that ends at once, started as that version."""
    node.launcher = version
    node.start()
    process = node.process
    assert process is not None
    wait_for(lambda: process.poll() is not None, DEADLINE_S, f"{node.name} ends")
    assert process.returncode == EXIT_REFUSED, node.log_tail()
    node.process = None
    return node.log_tail()


def admit(cluster: Cluster) -> Node:
    """A member that was never started, with its configuration."""
    host, _, port = cluster.nodes[0].raft.rpartition(":")
    node = Node(
        "node-4",
        "zone-a",
        cluster.root / "node-4",
        "node",
        url=f"http://{host}:{int(port) + 4}",
        raft=f"{host}:{int(port) + 5}",
    )
    write_node_config(node, cluster.nodes, uid=cluster.uid, token=cluster.token, extra={"join": True})
    member = {"name": node.name, "address": node.raft, "zone": node.zone, "url": node.url}
    cluster.client.ask("POST", "/v1/cluster/members?unasked=true", member)
    return node


def formats_of(cluster: Cluster) -> set[tuple[int, int]]:
    """(format, activated one) of all nodes that answer, once all do."""
    return {(status["format"], status["format_target"]) for status in cluster.statuses().values()}


def same_states(cluster: Cluster, *nodes: Node) -> None:
    """Wait until these nodes were seen at some index with others, and compare the states there."""
    seen: dict[int, dict[str, str]] = {}

    def compared() -> bool:
        for name, status in cluster.statuses().items():
            seen.setdefault(status["index"], {})[name] = status["state_hash"]
        shared = [hashes for hashes in seen.values() if len(hashes) == len(cluster.nodes)]
        return len(shared) >= 3

    wait_for(compared, DEADLINE_S, "three indices at which all nodes were seen", 0.05)
    assert all(len(set(hashes.values())) == 1 for hashes in seen.values()), seen
    assert all(node.process is not None and node.process.poll() is None for node in nodes)


def ticks(cluster: Cluster, node: int, from_ms: int) -> list[dict[str, Any]]:
    """What this node's ledger says of the ticks of `held`."""
    until = instant(int(time.time() * 1000))
    path = f"/v1/jobs/held/ticks?consistency=stale&limit=1000&from={instant(from_ms)}&to={until}"
    found = cluster.client.send("GET", path, node=node).json()["items"]
    keys = ("at", "outcome", "reason", "index", "hash")
    return [{key: tick[key] for key in keys} for tick in found if tick["outcome"] != "pending"]


def reasons(found: list[dict[str, Any]]) -> list[str]:
    return [tick["reason"] or "" for tick in found]
