"""The siege itself: it sees what it is there to see."""

from __future__ import annotations

import pytest

from bench.cluster import Cluster
from tests.e2e.cluster import NewCluster
from tests.hostile.siege import siege


def test_a_front_that_died_and_came_back_is_seen(new_cluster: NewCluster) -> None:
    cluster = new_cluster(agents=0)
    cluster.start()
    with pytest.raises(AssertionError), siege(cluster):
        cluster.nodes[0].kill_front()


def test_nothing_done_is_no_harm(besieged: Cluster) -> None:
    assert besieged.client.get("/v1/cluster")["quorum"]
