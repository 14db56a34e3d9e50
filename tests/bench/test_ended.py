"""A program that ends at its start is noticed at once, with the words it left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cluster import Cluster, free_base_port, layout
from chaos.cluster import Cluster as ChaosCluster
from chaos.cluster import Shape
from chaos.programs import EndedError
from tests.chaos.conftest import PORTS as CHAOS_PORTS
from tests.e2e.cluster import PORTS


@pytest.fixture(params=["bench", "chaos"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster | ChaosCluster]:
    made: Cluster | ChaosCluster
    if request.param == "bench":
        made = layout(tmp_path / "made", base_port=free_base_port(*PORTS, 1), nodes=1, agents=1)
    else:
        one = {"zone-a": 1}
        made = ChaosCluster.lay_out(tmp_path / "made", Shape(one, one, ports=CHAOS_PORTS, breakable=False))
    yield made
    made.stop()


def test_whoever_waits_for_a_program_that_ends_at_its_start_is_told_at_once(
    cluster: Cluster | ChaosCluster,
) -> None:
    for programs, wait in ((cluster.nodes, cluster.wait_ready), (cluster.agents, cluster.wait_agents)):
        program = programs[0]
        program.config.write_text("clok = 1\n")
        program.start()
        assert program.process is not None
        program.process.wait(60)
        with pytest.raises(EndedError, match=rf"(?s){program.name} has ended by itself, exit code \d.*clok"):
            wait(deadline_s=0)
