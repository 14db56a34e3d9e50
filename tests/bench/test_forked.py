"""Forked nodes are processes as started ones are, each cluster's from servers of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cluster import Cluster, alive, command_line, free_base_port, layout, signal_all, wait_for
from tests.e2e.cluster import DEADLINE_S, PORTS
from tests.e2e.forked import forking

pytestmark = pytest.mark.cluster


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = forking(layout(tmp_path / "cluster", base_port=free_base_port(*PORTS, 3), agents=0))
    yield made
    made.stop()


def test_forked_nodes_have_servers_of_their_own_and_die_with_their_supervisor(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.start()
    pids = [node.pids() for node in cluster.nodes]
    assert len({_parent(found["supervisor"]) for found in pids}) == len(cluster.nodes)
    assert {_parent(found[role]) == found["supervisor"] for found in pids for role in ("core", "front")} == {
        True
    }

    signal_all([pids[0]["supervisor"]], signal.SIGKILL)

    wait_for(lambda: not any(alive(pid) for pid in pids[0].values()), DEADLINE_S, "the whole node is gone")
    node = cluster.nodes[0]
    node.reap()
    monkeypatch.setenv("LD_BIND_NOW", "1")
    cluster.start()
    assert f"-m node --config {node.config}" in command_line(node.pids()["supervisor"]), "started in full"
    monkeypatch.delenv("LD_BIND_NOW")
    assert node.end() == 0
    cluster.start()
    assert "tests.e2e.forked" in command_line(node.pids()["supervisor"])
