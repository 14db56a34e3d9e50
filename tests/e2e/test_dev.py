"""`cronclave dev`: one command gives a whole cluster, and leaves nothing behind; cold starts always work."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.cluster import Cluster, alive, free_base_port, wait_for
from tests.e2e.cluster import DEADLINE_S, PORTS, NewCluster, knob
from tests.e2e.dev_cluster import Dev, client_of, running_dev, start_dev

pytestmark = pytest.mark.cluster

COLD_STARTS = knob("COLD_STARTS", 3)
LEAVES_S = 30.0  #: the promise is 5 s


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    with running_dev(tmp_path / "dev", free_base_port(*PORTS, 3)) as started:
        yield started


def test_dev_starts_three_zones_two_agents_and_sample_jobs_that_run(dev: Dev) -> None:
    facts = dev.ready()

    assert [node["zone"] for node in facts["nodes"]] == ["zone-a", "zone-b", "zone-c"]
    assert [node["url"] for node in facts["nodes"]] == [
        f"http://127.0.0.1:{dev.base_port + 10 * i}" for i in range(3)
    ]
    assert [agent["name"] for agent in facts["agents"]] == ["agent-1", "agent-2"]
    assert (dev.data / "dev.json").stat().st_mode & 0o777 == 0o600
    for node in facts["nodes"]:
        assert all(alive(pid) for pid in (node["pid"], node["pids"]["core"], node["pids"]["front"]))
    wait_for(lambda: "Cronclave is ready" in dev.output(), DEADLINE_S, "it says that it is ready", 0.05)
    with closing(client_of(facts)) as client:
        agents = client.get("/v1/agents")["items"]
        assert [(agent["name"], agent["state"]) for agent in agents] == [
            ("agent-1", "connected"), ("agent-2", "connected"),
        ], "what is ready has its agents"  # fmt: skip
        wait_for(
            lambda: sum(1 for run in client.items("/v1/runs", {"state": "succeeded"}) if run["tick"]) >= 3,
            DEADLINE_S,
            "sample jobs run by their schedule",
            0.2,
        )


def test_ctrl_c_leaves_no_process_behind(dev: Dev) -> None:
    dev.ready()
    started = dev.processes()
    assert len(started) >= 12  # itself, three nodes of three processes, two agents

    dev.process.send_signal(signal.SIGINT)

    dev.process.wait(DEADLINE_S)
    assert dev.processes() == []
    assert not any(alive(pid) for pid in started)


def test_kill_9_of_the_supervisor_leaves_no_process_behind(dev: Dev) -> None:
    dev.ready()
    started = dev.processes()

    dev.process.kill()
    dev.process.wait()

    wait_for(lambda: not any(alive(pid) for pid in started), LEAVES_S, "every process is gone")
    wait_for(lambda: not dev.processes(), LEAVES_S, "nothing new either")


def test_a_killed_node_is_told_by_dev_json_and_the_others_go_on(dev: Dev) -> None:
    facts = dev.ready()
    victim = facts["nodes"][0]

    os.kill(victim["pid"], signal.SIGKILL)

    wait_for(
        lambda: not any(alive(pid) for pid in victim["pids"].values()), DEADLINE_S, "core and front follow it"
    )
    wait_for(lambda: dev.facts()["nodes"][0]["pid"] != victim["pid"], DEADLINE_S, "dev.json tells of it")
    with closing(client_of({**facts, "nodes": facts["nodes"][1:]})) as client:
        assert client.ask("PUT", "/v1/jobs/after", {"job": "after", "noop": True}).status == 201


def test_a_second_dev_on_the_same_data_is_refused_and_a_later_one_continues(dev: Dev) -> None:
    facts = dev.ready()
    with closing(client_of(facts)) as client:
        client.ask("PUT", "/v1/jobs/kept", {"job": "kept", "noop": True})

    second = start_dev(dev.data, dev.base_port)
    assert second.process.wait(DEADLINE_S) != 0
    assert dev.process.poll() is None
    dev.process.send_signal(signal.SIGINT)
    dev.process.wait(DEADLINE_S)
    third = start_dev(dev.data, dev.base_port)
    try:
        again = third.ready()
        assert again["token"] == facts["token"]
        with closing(client_of(again)) as client:
            assert client.get("/v1/jobs/kept")["name"] == "kept"
    finally:
        third.process.send_signal(signal.SIGINT)
        third.process.wait(DEADLINE_S)


def test_every_simultaneous_cold_start_gives_a_cluster(new_cluster: NewCluster) -> None:
    for _ in range(COLD_STARTS):
        cluster = new_cluster(agents=0)
        for node in cluster.nodes:
            node.start()
        cluster.wait_ready()

        def agreed(started: Cluster = cluster) -> bool:
            leaders = [status["leader"] for status in started.statuses().values()]
            return len(leaders) == 3 and None not in leaders and len(set(leaders)) == 1

        wait_for(agreed, DEADLINE_S, "all know one leader")
        cluster.stop()
