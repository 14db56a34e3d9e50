"""What we rely on: pip install 'cronclave[chaos]' pytest; pytest docs/examples/chaos-tests"""

from collections.abc import Callable

import pytest

from chaos.cluster import Cluster
from chaos.suite import Judged


@pytest.mark.chaos(seed=7, actions=["leader-killed", "agent-killed"], links="direct")
def test_a_failover_loses_and_doubles_nothing(chaos_run: Callable[[], Judged]) -> None:
    judged = chaos_run()

    assert judged.verdict == "pass", judged.findings


def test_another_node_takes_over(chaos_cluster: Cluster) -> None:
    leader = chaos_cluster.leader()

    leader.kill()

    assert chaos_cluster.leader(other_than=leader.name).name != leader.name
