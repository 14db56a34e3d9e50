"""Clusters that `cronclave cluster init` laid out: mutual TLS between nodes, https and wss for all others."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from bench.client import Client
from bench.cluster import PROJECT, Agent, Cluster, Node
from tests.e2e.cluster import DEADLINE_S


def cronclave(
    *arguments: str, environment: dict[str, str] | None = None, cwd: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """The command in an environment without a cluster, but for what is given."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("CRONCLAVE_")}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=cwd,
        env={**inherited, "PYTHONPATH": str(PROJECT), "NO_COLOR": "1", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def must(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def administrator(directory: Path) -> dict[str, str]:
    """What `. admin.env` would set."""
    lines = (directory / "admin.env").read_text().splitlines()
    pairs = [shlex.split(line)[1].partition("=") for line in lines]
    return {name: value for name, _, value in pairs}


def lay_out(directory: Path, base_port: int, *, nodes: int = 3, options: tuple[str, ...] = ()) -> Cluster:
    """By the command; starts nothing."""
    specs: list[str] = []
    for i in range(nodes):
        http, raft = (f"127.0.0.1:{base_port + 10 * i + j}" for j in (0, 1))
        specs += ["--node", f"node-{i + 1}=zone-{'abcde'[i]},{http},{raft}"]
    must(cronclave("cluster", "init", str(directory), "--cluster", directory.name, *specs, *options))
    facts = json.loads((directory / "cluster.json").read_text())
    made = [
        Node(
            node["name"], node["zone"], directory / node["name"], "node",
            url=f"https://{node['http']}", raft=node["raft"],
        )
        for node in facts["nodes"]
    ]  # fmt: skip
    token = administrator(directory)["CRONCLAVE_TOKEN"]
    client = Client([node.url for node in made], token, directory / "ca.pem")
    return Cluster(directory, facts["cluster"], token, made, [], client)


def add_agent(cluster: Cluster, name: str, zone: str, token: str) -> Agent:
    """An agent over wss that trusts the cluster's CA alone; starts nothing."""
    agent = Agent(name, zone, cluster.root / name, "agent")
    agent.directory.mkdir()
    settings = {
        "name": name,
        "zone": zone,
        "slots": 200,
        "nodes": [node.url for node in sorted(cluster.nodes, key=lambda node: node.zone != zone)],
        "token": token,
        "ca": str(cluster.root / "ca.pem"),
        "data": str(agent.data),
        "parent_pid": os.getpid(),
    }
    agent.config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
    cluster.agents.append(agent)
    return agent
