"""Operations under load: nodes restart, come and go; nothing is lost, nothing runs twice."""

from __future__ import annotations

import re

import pytest

from bench.cluster import Cluster
from bench.rolling import restart_all
from bench.rows import spread
from tests.e2e.cluster import NewCluster, knob

pytestmark = pytest.mark.cluster

JOBS = knob("JOBS", 20)


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
