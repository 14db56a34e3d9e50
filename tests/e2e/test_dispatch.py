"""What became of agents is told truthfully, also when nobody was there to see it; no work waits for them."""

from __future__ import annotations

import os
import shlex
import signal
from typing import Any

import pytest

from bench.cluster import Agent, Cluster, wait_for
from tests.e2e.cluster import DEADLINE_S, NewCluster, start_run, wait_lines, wait_run

pytestmark = pytest.mark.cluster


def row(cluster: Cluster, agent: Agent) -> dict[str, Any]:
    return next(item for item in cluster.client.items("/v1/agents") if item["name"] == agent.name)


def wait_row(cluster: Cluster, agent: Agent, **expected: Any) -> None:
    def so() -> bool:
        told = row(cluster, agent)
        return all(told[name] == value for name, value in expected.items())

    wait_for(so, DEADLINE_S, f"{agent.name}: {expected}", 0.1)


def test_an_agent_that_died_while_no_node_was_there_is_given_up(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.start()
    dead, living = cluster.agents
    assert row(cluster, dead)["connected"]

    cluster.kill_nodes()
    dead.kill_host()
    for node in cluster.nodes:
        node.start()
    cluster.wait_ready()

    wait_row(cluster, dead, connected=False)
    wait_row(cluster, living, connected=True)
    cluster.client.ask("PUT", "/v1/jobs/work", {"job": "work", "run": "true"})
    runs = [start_run(cluster, "work") for _ in range(4)]
    assert [wait_run(cluster, run)["state"] for run in runs] == ["succeeded"] * 4


def test_an_agent_that_died_with_the_front_that_held_it_is_given_up(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.start()
    dead = cluster.agents[0]
    name = row(cluster, dead)["node"]
    node = next(node for node in cluster.nodes if node.name == name)

    # The core lives on, so nobody misses the node.
    dead.freeze()
    node.kill_front()
    dead.kill_host()

    wait_row(cluster, dead, connected=False)


def test_a_stopped_spooler_is_said_and_its_work_goes_elsewhere(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    cluster.start()
    ill, well = cluster.agents
    spooler = ill.spooler()
    assert spooler is not None
    file = cluster.root / "evidence"
    script = f"echo $CRONCLAVE_RUN >> {shlex.quote(str(file))}"
    cluster.client.ask("PUT", "/v1/jobs/work", {"job": "work", "run": script})

    os.kill(spooler, signal.SIGSTOP)
    try:
        wait_row(cluster, ill, slots=0)
        runs = [start_run(cluster, "work") for _ in range(4)]
        ended = [wait_run(cluster, run) for run in runs]
        assert [run["state"] for run in ended] == ["succeeded"] * 4
        assert {attempt["agent"] for run in ended for attempt in run["tasks"]["main"]["attempts"]} == {
            well.name
        }
    finally:
        os.kill(spooler, signal.SIGCONT)

    wait_row(cluster, ill, slots=row(cluster, well)["slots"])
    assert ill.spooler() == spooler
    assert sorted(map(int, wait_lines(file, 4))) == runs
