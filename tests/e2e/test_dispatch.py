"""What became of agents is told truthfully, also when nobody was there to see it; no work waits for them."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from bench.cluster import Agent, Cluster, wait_for
from scheduler import protocol as p
from tests.api.served import HandAgent, session
from tests.e2e.cluster import DEADLINE_S, NewCluster, start_run, wait_lines, wait_run

pytestmark = pytest.mark.cluster


def row(cluster: Cluster, agent: Agent) -> dict[str, Any]:
    return next(item for item in cluster.client.items("/v1/agents") if item["name"] == agent.name)


def wait_row(cluster: Cluster, agent: Agent, **expected: Any) -> None:
    def so() -> bool:
        told = row(cluster, agent)
        return all(told[name] == value for name, value in expected.items())

    wait_for(so, DEADLINE_S, f"{agent.name}: {expected}", 0.1)


def test_an_agent_that_died_while_no_node_was_there_is_given_up(cluster: Cluster) -> None:
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


def test_an_agent_that_died_with_the_front_that_held_it_is_given_up(cluster: Cluster) -> None:
    dead = cluster.agents[0]
    name = row(cluster, dead)["node"]
    node = next(node for node in cluster.nodes if node.name == name)

    # The core lives on, so nobody misses the node.
    dead.freeze()
    node.kill_front()
    dead.kill_host()

    wait_row(cluster, dead, connected=False)


def test_a_stopped_spooler_is_said_and_its_work_goes_elsewhere(cluster: Cluster, tmp_path: Path) -> None:
    ill, well = cluster.agents
    spooler = ill.spooler()
    assert spooler is not None
    file = tmp_path / "evidence"
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


def test_what_a_dead_process_said_through_a_frozen_node_does_not_fence_the_living_one(
    new_cluster: NewCluster,
) -> None:
    cluster = new_cluster(agents=0)
    cluster.start()
    asyncio.run(said_late(cluster))


async def said_late(cluster: Cluster) -> None:
    """Two processes of one agent; the older one's Hello is committed after the newer one's."""
    leader = cluster.leader()
    frozen, other = [node for node in cluster.nodes if node.name != leader.name]
    core = frozen.pids()["core"]

    def agent(url: str, named: str) -> HandAgent:
        made = HandAgent(url, token=cluster.token)
        made.session = named
        return made

    async with agent(frozen.url, session(1)) as old, agent(other.url, session(2)) as new:
        os.kill(core, signal.SIGSTOP)
        try:
            # Its front proposes it to a core that does not hear it yet.
            with pytest.raises((TimeoutError, AssertionError, ConnectionClosed)):
                await asyncio.wait_for(old.hello(cluster=""), 0.5)
            assert isinstance(await new.hello(cluster=""), p.Welcome)
        finally:
            os.kill(core, signal.SIGCONT)
        wait_for(lambda: cluster.ready(cluster.nodes.index(frozen)), DEADLINE_S, "it follows again", 0.1)
        index = cluster.client.get("/v1/cluster")["index"]
        deadline_s = time.monotonic() + 2.0
        while time.monotonic() < deadline_s:
            await new.send(p.Ping(1, index))
            assert isinstance(await new.expect(p.Pong, p.Leave), p.Pong)
            await asyncio.sleep(0.1)
        (told,) = cluster.client.items("/v1/agents")
        assert (told["node"], told["connected"]) == (other.name, True)
