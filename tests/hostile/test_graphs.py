"""Large graphs on a real cluster: no turn of a core takes long, no term changes, every node answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.cluster import Cluster, wait_for
from cluster.turns import BOUNDS_S
from tests.e2e.cluster import start_run

pytestmark = pytest.mark.cluster

Tasks = dict[str, dict[str, Any]]
NOOP: dict[str, Any] = {"noop": True}
ENDED_S = 120.0
WORK_S_MAX = BOUNDS_S[-1]  #: of CPU in one turn of a core: ten times what is promised


def layers(width: int) -> Tasks:
    first = {f"a{i}": NOOP for i in range(width)}
    return first | {f"b{i}": {"noop": True, "needs": list(first)} for i in range(width)}


def after_a_failure(tasks: Tasks) -> Tasks:
    """These tasks, of which the roots need one that fails."""
    return {"fails": {"exec": ["false"]}} | {
        name: task if task.get("needs") else {**task, "needs": ["fails"]} for name, task in tasks.items()
    }


CHAIN: Tasks = {f"t{i:05}": {"noop": True, "needs": [f"t{i - 1:05}"] if i else []} for i in range(2_500)}
FAN: Tasks = {f"t{i:05}": NOOP for i in range(2_500)}


def long_turns(cluster: Cluster) -> list[float]:
    """How many turns of each core took more than WORK_S_MAX of CPU, from its metrics."""
    found = []
    for place in range(len(cluster.nodes)):
        text = cluster.client.send("GET", "/metrics", node=place).body.decode()
        counts = [
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith("cronclave_core_turn_cpu_seconds_bucket")
        ]
        assert counts
        found.append(counts[-1] - counts[-2])  # all, and those up to the last bound: one second
    return found


def run_through(cluster: Cluster, name: str, tasks: Tasks) -> str:
    cluster.client.ask("PUT", f"/v1/jobs/{name}", {"job": name, "tasks": tasks})
    run = start_run(cluster, name)

    def ended() -> str | None:
        listed = cluster.client.get(f"/v1/runs/{run}")
        return listed["state"] if listed["finished"] else None

    state = wait_for(ended, ENDED_S, f"the end of {name}", 0.5)
    cluster.client.ask("DELETE", f"/v1/jobs/{name}")
    return state


@pytest.mark.parametrize(
    ("tasks", "state"),
    [
        pytest.param(layers(200), "succeeded", id="two layers of 200, all to all"),
        pytest.param(after_a_failure(layers(150)), "failed", id="two layers whose need fails"),
        pytest.param(after_a_failure(CHAIN), "failed", id="a chain whose first fails"),
        pytest.param(after_a_failure(FAN), "failed", id="a fan whose first fails"),
    ],
)
def test_a_large_graph_harms_no_node(besieged: Cluster, tasks: Tasks, state: str) -> None:
    before = long_turns(besieged)
    assert run_through(besieged, "large", tasks) == state
    assert long_turns(besieged) == before


def test_a_run_of_thousands_is_cancelled_on_the_way(besieged: Cluster) -> None:
    besieged.client.ask("PUT", "/v1/jobs/fan", {"job": "fan", "tasks": FAN})
    runs = [start_run(besieged, "fan") for _ in range(3)]
    for run in runs:
        besieged.client.ask("POST", f"/v1/runs/{run}/cancel", {})

    def ended() -> bool:
        return all(besieged.client.get(f"/v1/runs/{run}")["finished"] for run in runs)

    wait_for(ended, ENDED_S, "the end of the runs", 0.5)
    besieged.client.ask("DELETE", "/v1/jobs/fan")
    listed = besieged.client.get("/v1/runs?job=fan&limit=1000")
    assert json.dumps(listed).count('"cancelled"') > 3
