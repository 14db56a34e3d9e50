"""Waits until the cluster is ready, applies the sample jobs, says how to use it. Runs beside the loop."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from cli.client import Client
from cli.dev.admission import admit, is_admitted
from cli.dev.layout import HOST, AgentPlan, Identity, NodePlan, save_identity
from cli.dev.samples import SAMPLES
from cli.exits import Failure
from cli.target import Target

READY_S = 60.0
POLL_S = 0.05
ADMIT_AGAIN_S = 0.25


class Opening(threading.Thread):
    """From started to usable."""

    def __init__(
        self,
        directory: Path,
        identity: Identity,
        nodes: list[NodePlan],
        agents: list[AgentPlan],
        *,
        jobs: bool,
        browser: bool,
        admitted: Callable[[AgentPlan], None],
    ) -> None:
        """`admitted` is called for each agent that has its token and may start."""
        super().__init__(daemon=True, name="opening")
        self._directory = directory
        self._identity = identity
        self._nodes = nodes
        self._agents = agents
        self._jobs = jobs
        self._browser = browser
        self._admitted = admitted

    def run(self) -> None:
        started_s = time.monotonic()
        threading.Thread(target=self._admit, daemon=True, name="admission").start()
        if not self._ready(started_s + READY_S):
            click.echo(
                f"\nThe cluster is not ready after {READY_S:.0f} s; "
                f"the logs say why: {self._directory}/node-*/log",
                err=True,
            )
            return
        if self._jobs and not self._identity.sampled:
            self._apply_samples()
        away = self._not_connected(started_s + READY_S)
        click.echo(self.banner(time.monotonic() - started_s))
        if away:
            click.echo(
                f"Not connected yet: {', '.join(away)}. What only they may run waits; "
                f"the logs say why: {self._directory}/*/log\n",
                err=True,
            )
        if self._browser and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            webbrowser.open(self._cockpit())

    def _admit(self) -> None:
        """Every agent its token, as soon as there is a quorum to make it, however long that takes."""
        told_s = time.monotonic() + READY_S
        waiting = [agent for agent in self._agents if not is_admitted(agent, self._identity)]
        while waiting and not any(is_ready(node.http_port) for node in self._nodes):
            time.sleep(POLL_S)
        for agent in waiting:
            while True:
                try:
                    admit(self._client(), agent)
                    break
                except Failure as failure:
                    if time.monotonic() > told_s:
                        told_s = time.monotonic() + READY_S
                        click.echo(f"{agent.name} has no token yet, so it does not start:", err=True)
                        failure.show()
                    time.sleep(ADMIT_AGAIN_S)
            self._admitted(agent)

    def _client(self) -> Client:
        target = Target(tuple(node.url for node in self._nodes), self._identity.token, "cronclave dev")
        return Client(target, within_s=20.0)

    def _ready(self, deadline_s: float) -> bool:
        waiting = {node.name: node for node in self._nodes}
        while waiting:
            for node in list(waiting.values()):
                if is_ready(node.http_port):
                    del waiting[node.name]
            if waiting and time.monotonic() > deadline_s:
                return False
            time.sleep(POLL_S)
        return True

    def _not_connected(self, deadline_s: float) -> list[str]:
        """Waits until the cluster has all agents, and gives those that it lacks by then."""
        wanted = {agent.name for agent in self._agents}
        while wanted:
            try:
                told = self._client().get("/v1/agents?consistency=stale")["items"]
                wanted -= {agent["name"] for agent in told if agent["state"] == "connected"}
            except Failure:
                pass  # it is asked again
            if time.monotonic() > deadline_s:
                break
            if wanted:
                time.sleep(POLL_S)
        return sorted(wanted)

    def _apply_samples(self) -> None:
        client = self._client()
        try:
            client.send("POST", "/v1/apply", json.dumps({"jobs": SAMPLES, "source": "sample"}).encode())
        except Failure as error:
            click.echo("the sample jobs were not applied:", err=True)
            error.show()
            return
        save_identity(self._directory, replace(self._identity, sampled=True))

    def _cockpit(self) -> str:
        return f"{self._nodes[0].url}/#token={self._identity.token}"

    def banner(self, took_s: float) -> str:
        found, command = self._directory == Path.cwd() / ".cronclave", own_command()
        lines = [
            "",
            f"Cronclave is ready ({took_s:.1f} s).",
            "",
            f"  Cockpit   {self._cockpit()}",
            "            under Cluster: lose a zone, kill the leader, stop an agent, and take it back",
            f"  CLI       {command} job list          (in another terminal, same folder)"
            if found
            else f"  CLI       export CRONCLAVE_URL={self._nodes[0].url} "
            f"CRONCLAVE_TOKEN={self._identity.token}",
            f"            {command} job run greet --param name=you --wait"
            if self._jobs or self._identity.sampled
            else f"            {command} apply FILE",
            f"            and: run list, cluster status, verify, events; {command} --help",
            "",
        ]
        for node in self._nodes:
            ports = f"HTTP {HOST}:{node.http_port}  Raft {HOST}:{node.raft_port}"
            lines.append(f"  {node.name:<9} {node.zone}  {ports}  log {node.directory / 'log'}")
        for agent in self._agents:
            lines.append(f"  {agent.name:<9} {agent.zone}  log {agent.directory / 'log'}")
        if os.geteuid() == 0 and self._agents:
            lines += ["", "You are root, and so is every job that runs here."]
        lines += ["", "Ctrl-C stops it all; the same command continues this cluster.", ""]
        return "\n".join(lines)


def own_command() -> str:
    """How the user calls this program from here: by its name where the PATH has it, else by its path."""
    if shutil.which("cronclave"):
        return "cronclave"
    program = Path(sys.argv[0]).absolute()
    if program.name != "cronclave":
        return "python -m cli.main"
    return str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)


def is_ready(port: int) -> bool:
    """Whether the node on this port says that it follows or leads a quorum."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2.0)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
