"""Operations under load: nodes restart, come and go; nothing is lost, nothing runs twice."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.cluster import PORTS_A_NODE, Cluster, Node, wait_for, write_node_config
from bench.rolling import restart_all
from bench.rows import spread
from tests.e2e.cluster import (
    DEADLINE_S,
    NewCluster,
    command_line,
    delete_jobs,
    judge_file,
    knob,
    steady_load,
    wait_lines,
)
from tests.e2e.starvation import no_election

pytestmark = pytest.mark.cluster

JOBS = knob("JOBS", 20)
EXIT_REFUSED = 78
EXIT_CONFLICT = 5


def test_a_rolling_restart_hands_leadership_and_agents_over(new_cluster: NewCluster) -> None:
    cluster = new_cluster(slots=500)
    cluster.start()
    leader = cluster.leader()

    seen = restart_all(cluster, noop_jobs=0, shell_jobs=JOBS)

    print(f"start later than due: {spread(seen.late_ms, 'ms')}, longest gap {seen.gap_ms:.0f} ms")
    assert seen.payload.clean, seen.payload
    assert seen.payload.due >= JOBS * 6
    assert seen.codes == [0, 0, 0]
    assert [name for name, log in cluster.logs() if "is killed" in log] == []
    heir = re.search(r"this node ends: handing leadership to (\S+)", leader.log_tail())
    assert heir, leader.log_tail()
    assert cluster.leader().name == heir.group(1)
    assert agents_lost(cluster) == []


def agents_lost(cluster: Cluster) -> list[str]:
    """Departures of connected agents that no node asked for and that led to no nearer node."""
    found = []
    for agent in cluster.agents:
        connected = False
        for line in agent.log_tail().splitlines():
            if "left http" in line and connected and "draining" not in line and "serves again" not in line:
                found.append(line)
            connected = "connected to" in line
    return found


def test_three_nodes_grow_to_five_and_shrink_to_three_under_load(new_cluster: NewCluster) -> None:
    cluster = new_cluster(slots=500)
    cluster.start()
    oracles, file, from_ms = steady_load(cluster, JOBS, apart_ms=50)

    for number in (4, 5):
        fresh = newcomer(cluster, number)
        member = {"name": fresh.name, "address": fresh.raft, "zone": fresh.zone, "url": fresh.url}
        cluster.client.ask("POST", "/v1/cluster/members?unasked=true", member)
        fresh.start()
        cluster.set_nodes([*cluster.nodes, fresh])
        cluster.wait_ready()  # it has copied the state and votes
    assert all(len(status["peers"]) == 4 for status in cluster.statuses().values())
    leader = cluster.leader()
    follower = next(node for node in cluster.nodes if node is not leader)
    for leaving in (follower, leader):
        cluster.client.ask("DELETE", f"/v1/cluster/members/{leaving.name}")
        process = leaving.process
        assert process is not None
        wait_for(lambda ended=process: ended.poll() is not None, DEADLINE_S, f"{leaving.name} ends by itself")
        assert process.returncode == EXIT_REFUSED, leaving.log_tail()
        cluster.set_nodes([node for node in cluster.nodes if node is not leaving])
        cluster.wait_ready()

    assert all(len(status["peers"]) == 2 for status in cluster.statuses().values())
    assert cluster.leader() is not leader
    seen = len(file.read_text().splitlines())
    wait_lines(file, seen + 2 * JOBS)
    judgement = judge_file(oracles, file, from_ms=from_ms, until_ms=int(time.time() * 1000))
    assert judgement.clean, judgement
    delete_jobs(cluster, oracles)
    heads = cluster.equal_heads()
    assert len({(state, head) for _, state, head in heads.values()}) == 1, heads


def test_without_a_quorum_every_change_says_so_with_exit_code_6(new_cluster: NewCluster) -> None:
    cluster = new_cluster(agents=0)
    cluster.start()
    for node in cluster.nodes[1:]:
        node.kill()
    wait_for(lambda: not cluster.status(cluster.nodes[0])["quorum"], DEADLINE_S, "the loss is noticed")

    for command in (("status",), ("remove", "node-2", "--yes")):
        told = command_line(cluster, "cluster", *command)
        assert told.returncode == 6, (command, told.stdout, told.stderr)
        assert "quorum" in told.stderr or "leader" in told.stderr, told.stderr


def test_what_cannot_be_is_refused_at_once_and_by_name(new_cluster: NewCluster) -> None:
    """Each is asked of a follower: the refusal is the leader's."""
    cluster = new_cluster(agents=0)
    cluster.start()
    leader = cluster.leader()
    asked, other = (node for node in cluster.nodes if node is not leader)

    def refused(*words: str, at: Node = asked) -> str:
        told = command_line(cluster, "cluster", *words, at=at)
        assert told.returncode == EXIT_CONFLICT, (words, told.stdout, told.stderr)
        assert "after 10 s" not in told.stderr, told.stderr
        return told.stderr

    def add(name: str, raft: str) -> tuple[str, ...]:
        where = ("--raft", raft, "--zone", "zone-d", "--node-url", f"http://{raft}")
        return ("add", name, *where, "--unasked")  # nobody is there

    assert f"{other.name} is a member already" in refused(*add(other.name, "127.0.0.1:1"))

    with ThreadPoolExecutor(2) as threads:  # two different machines under one name, through two nodes
        both = [
            threads.submit(command_line, cluster, "cluster", *add("node-4", f"127.0.0.1:{port}"), at=node)
            for port, node in ((1, asked), (2, other))
        ]
        told = [each.result() for each in both]
    assert sorted(each.returncode for each in told) == [0, EXIT_CONFLICT], told
    (loser,) = (each.stderr for each in told if each.returncode)
    late = asked if told[0].returncode else other  #: it hears of the other's node-4 by what is committed
    assert "node-4 is a member already" in loser or "node-4 is being added" in loser
    removed = command_line(cluster, "cluster", "remove", "node-4", "--yes", at=late)
    assert removed.returncode == 0, removed
    assert "node-4 was removed" in refused(*add("node-4", "127.0.0.1:1"))

    with no_election(cluster):
        other.freeze()
        said = refused("transfer", "--to", other.name)
        assert f"{other.name} does not answer" in said or f"{other.name} did not take over" in said
        other.kill()
        assert f"{other.name} does not answer" in refused("transfer", "--to", other.name)
        for living in (asked, leader):
            assert "the cluster would stop" in refused("remove", living.name, "--yes")


def test_nodes_that_end_together_leave_the_office_to_one_that_stays(new_cluster: NewCluster) -> None:
    cluster = new_cluster(agents=0)
    cluster.start()
    leader = cluster.leader()
    ends, stays = (node for node in cluster.nodes if node is not leader)  # the first by name is chosen first
    with ThreadPoolExecutor(2) as threads:
        codes = list(threads.map(lambda node: node.end(), (ends, leader)))
    assert codes == [0, 0]
    handed = [
        heir
        for node in (leader, ends)
        for heir in re.findall(r"this node ends: handing leadership to (\S+)", node.log_tail())
    ]
    assert handed[-1:] == [stays.name]


def newcomer(cluster: Cluster, number: int) -> Node:
    """A node of a new name and zone on the cluster's spare ports, configured to join."""
    host, _, port = cluster.nodes[0].raft.rpartition(":")
    base = int(port) - 1 + PORTS_A_NODE * (number - 1)
    fresh = Node(
        f"node-{number}",
        f"zone-{'abcdefg'[number - 1]}",
        cluster.root / f"node-{number}",
        "node",
        url=f"http://{host}:{base}",
        raft=f"{host}:{base + 1}",
    )
    write_node_config(fresh, cluster.nodes, uid=cluster.uid, token=cluster.token, extra={"join": True})
    return fresh
