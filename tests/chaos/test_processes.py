"""Processes of a real cluster, killed, stopped and restarted; each fault seen, and seen to be gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.faults import Fault, Kill, Pause, RollingRestart, kind
from chaos.nemesis import NemesisError
from chaos.nemesis.process import ProcessDriver
from chaos.programs import alive, wait_for
from tests.chaos.conftest import NewCluster

pytestmark = pytest.mark.cluster
DEADLINE_S = 60.0


def name(fault: Fault) -> str:
    return f"{kind(fault)}-{'-'.join(getattr(fault, 'processes', ()) or getattr(fault, 'nodes', ()))}"


def test_faults_of_processes_are_real_and_end(new_cluster: NewCluster, tmp_path: Path) -> None:
    """One cluster for all: its start is most of the time."""
    with new_cluster(agents={"zone-a": 1}) as cluster:
        cluster.start()
        driver = ProcessDriver(cluster)
        assert driver.available() is None
        faults: list[Fault] = [
            Pause(("node-1",)),
            Pause(("node-2/core", "agent-1")),
            Kill(("node-1", "node-3")),
            Kill(("node-2/front",)),
            Kill(("agent-1/spooler",)),
            Kill(("agent-1/host",)),
            Kill(("node-1/core",)),
        ]
        for fault in faults:
            assert driver.verify(fault).real is False, name(fault)
            driver.inject(fault)
            seen = driver.verify(fault)
            assert seen.real is True, f"{name(fault)}: {seen.evidence}"
            driver.heal(fault)
            cluster.wait_ready()
            wait_for(lambda: driver.verify(fault).real is False, DEADLINE_S, f"{name(fault)} is over")  # noqa: B023 (called at once)
        pids = {node.name: node.pids()["supervisor"] for node in cluster.nodes}
        rolling = RollingRestart(tuple(pids))
        driver.inject(rolling)
        assert driver.verify(rolling).real is True
        assert not any(alive(pid) for pid in pids.values())
        driver.heal()
        assert driver.verify(rolling).real is False
        spoolers = [agent.spooler() for agent in cluster.agents]
        agents = RollingRestart(tuple(agent.name for agent in cluster.agents))
        driver.inject(agents)
        assert driver.verify(agents).real is True
        assert [agent.spooler() for agent in cluster.agents] == spoolers  # the work outlives the agent's end
        driver.heal()
        cluster.wait_agents()
        for wrong in ("node-9", "node-1/spooler", "agent-1/core"):
            with pytest.raises(NemesisError, match=r"known are|it has"):
                driver.inject(Kill((wrong,)))
        work = cluster.agents[0].work()
        everything = [pid for program in cluster.programs for pid in program.pids().values()] + work
        assert len(everything) > 10
    assert not any(alive(pid) for pid in everything)
