"""A cluster whose agents are a crowd: one process in which each has a socket of its own and speaks as an
agent does (`python -m agent.crowd`), with no work to do and nothing on disk. So what is measured is the
cluster's; what the crowd takes is told beside it."""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from bench.client import Client
from bench.cluster import READY_S, Cluster, process_cpu_s, running, start_process, wait_for
from bench.figures import Sample
from bench.options import Options

CROWD = "crowd"
_HERE = re.compile(r"^cronclave_agents_here(?:{[^}]*})? ([0-9.e+]+)$", re.M)
BURST, A_SECOND = 500, 50  #: new agents that a node takes of one token
LOOK_S = 0.5


@dataclass(slots=True)
class Crowded:
    """A cluster with its crowd."""

    cluster: Cluster
    pid: int
    agents: int

    @property
    def client(self) -> Client:
        return self.cluster.client

    @property
    def token(self) -> str:
        return self.cluster.token

    def cpu_seconds(self) -> dict[str, float]:
        return {**self.cluster.cpu_seconds(), CROWD: process_cpu_s(self.pid)}

    def connected(self) -> int:
        """How many hang on the nodes, by their own figures."""
        found = 0
        for number, node in enumerate(self.cluster.nodes):
            if node.process is None:
                continue
            with suppress(OSError, http.client.HTTPException):
                text = self.client.send("GET", "/metrics", node=number, timeout_s=10).body.decode()
                found += sum(int(float(here)) for here in _HERE.findall(text))
        return found

    def wait(self, agents: int, deadline_s: float) -> None:
        wait_for(lambda: self.connected() >= agents, deadline_s, f"{agents:,} agents connected", LOOK_S)


@contextmanager
def crowded(options: Options, agents: int, *more: str) -> Iterator[Crowded]:
    """With so many agents, as soon as all are connected. `more`: arguments of the crowd."""
    with running(ports=options.ports, agents=0, parent=options.data) as cluster:
        command = [cluster.nodes[0].build.python, "-m", "agent.crowd", "--agents", str(agents), *more]
        command += ["--nodes", ",".join(node.url for node in cluster.nodes), "--parent", str(os.getpid())]
        crowd = start_process(
            command, log=cluster.root / "crowd.log", environment={"CRONCLAVE_TOKEN": cluster.token},
            cwd=cluster.nodes[0].build.project,
        )  # fmt: skip
        try:
            found = Crowded(cluster, crowd.pid, agents)
            found.wait(agents, READY_S + 3 * max(0, agents / len(cluster.nodes) - BURST) / A_SECOND)
            yield found
        finally:
            crowd.terminate()
            crowd.wait()


def said(sample: Sample) -> str:
    """In all, and the crowd's part."""
    return f"{sample.total:.2f} with {sample.of(CROWD).total:.2f} of the crowd"
