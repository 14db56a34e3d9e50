"""A task that is divided into very many members over very many agents, beside manual runs on the same.

The agents are a crowd: one process in which each has a socket of its own and speaks as an agent does
(`python -m agent.crowd`), with no work to do and nothing on disk. So what is measured is the cluster's; what
the crowd takes is told beside it. All members may go at once: they wait for slots, and for nothing else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from bench.client import Client
from bench.cluster import READY_S, Cluster, process_cpu_s, running, start_process, wait_for
from bench.figures import Sample
from bench.jobs import NOOP
from bench.options import Options
from bench.rows import NONE, Result, Row
from bench.workflows import POLICIES, TIMES_MAX, TURN_MS_MAX, manual, one_run, put, turn_ms

CROWD = "crowd"


@dataclass(slots=True)
class Crowded:
    """A cluster whose agents are a crowd."""

    cluster: Cluster
    pid: int

    @property
    def client(self) -> Client:
        return self.cluster.client

    @property
    def token(self) -> str:
        return self.cluster.token

    def cpu_seconds(self) -> dict[str, float]:
        return {**self.cluster.cpu_seconds(), CROWD: process_cpu_s(self.pid)}


def run(options: Options) -> Result:
    members, agents = options.steps, options.agents
    with running(ports=options.ports, agents=0, parent=options.data) as cluster:
        command = [cluster.nodes[0].build.python, "-m", "agent.crowd", "--agents", str(agents)]
        command += ["--nodes", ",".join(node.url for node in cluster.nodes), "--parent", str(os.getpid())]
        crowd = start_process(
            command, log=cluster.root / "crowd.log", environment={"CRONCLAVE_TOKEN": cluster.token},
            cwd=cluster.nodes[0].build.project,
        )  # fmt: skip
        try:
            wait_for(lambda: _connected(cluster) == agents, READY_S, f"{agents} agents connected", 0.2)
            crowded = Crowded(cluster, crowd.pid)
            alone = manual(crowded, options.clients, options.duration_s)
            many = {**NOOP, "fanout": {"n": members}}
            job = {"job": "members", "policies": POLICIES, "tasks": {"many": many}}
            turns = put(cluster, job)
            member, seconds = one_run(crowded, "members", members)
            longest = turn_ms(cluster, turns)
        finally:
            crowd.terminate()
            crowd.wait()
    what = f"{members:,} members over {agents:,} agents"
    times = member.total / alone.sample.total
    told = f"× {times:.2f} ({_said(member)} of {_said(alone.sample)} ms)"
    return Result([
        Row(f"a member of {what}: CPU beside a manual run, {options.clients} clients", f"× {TIMES_MAX}", told,
            times <= TIMES_MAX),
        Row(f"{what}: longest turn of a core, CPU", f"{TURN_MS_MAX} ms", f"up to {longest:.0f} ms",
            longest <= TURN_MS_MAX),
        Row(f"{what}: time", NONE, f"{seconds:.1f} s"),
    ])  # fmt: skip


def _said(sample: Sample) -> str:
    """In all, and the crowd's part."""
    return f"{sample.total:.2f} with {sample.of(CROWD).total:.2f} of the crowd"


def _connected(cluster: Cluster) -> int:
    return sum(agent["connected"] for agent in cluster.client.items("/v1/agents"))
