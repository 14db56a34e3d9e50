"""A staging cluster that is named in a file: what is where, and the commands that break and mend it.

    staging = true                       # without this line nothing is touched
    token_file = "admin.token"           # beside this file, mode 0600
    evidence = "/mnt/shared/chaos"       # a folder that agents' hosts and this one share

    [nodes.node-1]
    zone = "zone-a"
    url = "https://10.0.1.1:8321"
    kill = "ssh node-1 sudo systemctl kill -s KILL cronclave-node"
    start = "ssh node-1 sudo systemctl start cronclave-node"
    pause = "ssh node-1 sudo systemctl kill -s STOP cronclave-node"
    resume = "ssh node-1 sudo systemctl kill -s CONT cronclave-node"

    [agents.agent-1]
    zone = "zone-a"
    kill = "…"
    start = "…"

Rules: a file that does not say `staging = true` is refused, whatever else it says; an unknown setting too. A
fault without its two commands cannot be injected, and says so. Whether it is real is seen over HTTP: a node
that is dead or frozen does not answer, an agent is not connected.
"""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from chaos.faults import Fault, Kill, Pause
from chaos.nemesis import NemesisError, Sighting, Unavailable

COMMAND_S = 60.0
ANSWER_S = 2.0
COMMANDS = ("kill", "start", "pause", "resume")
SETTINGS = frozenset({"staging", "token_file", "evidence", "nodes", "agents"})


@dataclass(frozen=True, slots=True)
class StagedHost:
    name: str
    zone: str
    url: str
    commands: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Staging:
    """A cluster as its file tells it."""

    token: str
    evidence: Path
    nodes: Sequence[StagedHost]
    agents: Sequence[StagedHost]

    def restart_dead(self) -> list[str]:
        """Nothing: its own service manager does that."""
        return []

    def ready(self) -> bool:
        return all(self.answers(node.url, "/readyz") is not None for node in self.nodes)

    def connected(self) -> bool:
        return {agent.name for agent in self.agents} <= self.connected_agents()

    def connected_agents(self) -> set[str]:
        for node in self.nodes:
            told = self.answers(node.url, "/v1/agents?limit=1000&consistency=stale")
            if told is not None:
                return {agent["name"] for agent in told.json()["items"] if agent["connected"]}
        return set()

    def answers(self, url: str, path: str) -> httpx2.Response | None:
        """The reply, where there is one and it is a success."""
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            reply = httpx2.get(f"{url}{path}", headers=headers, timeout=ANSWER_S, trust_env=False)
        except httpx2.HTTPError:
            return None
        return reply if reply.status_code == 200 else None


def read_staging(file: Path) -> Staging:
    """The cluster in this file. Raises ValueError, which says what is wrong and where."""
    try:
        told = tomllib.loads(file.read_text())
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file}: {error}") from None
    if told.get("staging") is not True:
        raise ValueError(
            f"{file}: it does not say `staging = true`, so this cluster is not touched; a drill kills nodes"
        )
    unknown = sorted(set(told) - SETTINGS)
    if unknown:
        raise ValueError(f"{file}: unknown setting {unknown[0]!r}; known: {', '.join(sorted(SETTINGS))}")
    for needed in ("token_file", "evidence", "nodes", "agents"):
        if not told.get(needed):
            raise ValueError(f"{file}: {needed} is missing")
    token_file = file.parent / told["token_file"]
    try:
        token = token_file.read_text().strip()
    except OSError as error:
        raise ValueError(f"{file}: token_file {token_file}: {error.strerror}") from None
    nodes, agents = (_hosts(file, table, told[table]) for table in ("nodes", "agents"))
    return Staging(token, Path(told["evidence"]), nodes, agents)


def _hosts(file: Path, table: str, told: Mapping[str, Any]) -> tuple[StagedHost, ...]:
    known = {"zone", *COMMANDS, *(("url",) if table == "nodes" else ())}
    found = []
    for name, settings in told.items():
        where = f"{file}: [{table}.{name}]"
        if not isinstance(settings, dict):
            raise ValueError(f"{where} is to be a table")
        unknown = sorted(set(settings) - known)
        if unknown:
            raise ValueError(f"{where}: unknown setting {unknown[0]!r}; known: {', '.join(sorted(known))}")
        for needed in sorted({"zone"} | (known & {"url"})):
            if not isinstance(settings.get(needed), str):
                raise ValueError(f"{where}: {needed} is missing")
        commands = {word: settings[word] for word in COMMANDS if word in settings}
        found.append(StagedHost(name, settings["zone"], settings.get("url", "").rstrip("/"), commands))
    return tuple(found)


class StagingDriver:
    """Kills and stops hosts by the commands of the file."""

    name = "staging"
    kinds: frozenset[type[Any]] = frozenset({Kill, Pause})

    def __init__(self, cluster: Staging) -> None:
        self._cluster = cluster
        self._hosts = {host.name: host for host in [*cluster.nodes, *cluster.agents]}
        self._broken: list[Fault] = []

    def available(self) -> Unavailable | None:
        return None

    def why_not(self, fault_type: type[Any]) -> Unavailable | None:
        if fault_type not in self.kinds:
            return Unavailable(
                f"a drill does not inject {fault_type.__name__}", "use a cluster of the harness"
            )
        words = ("kill", "start") if fault_type is Kill else ("pause", "resume")
        lacking = [n for n, host in self._hosts.items() if host.url and not set(words) <= set(host.commands)]
        if lacking:
            return Unavailable(f"{lacking[0]} has no {' and '.join(words)}", "add the commands to the file")
        return None

    def inject(self, fault: Fault) -> None:
        self._broken.append(fault)
        for host in self._targets(fault):
            self._do(host, "kill" if isinstance(fault, Kill) else "pause")

    def heal(self, fault: Fault | None = None) -> None:
        for broken in list(self._broken) if fault is None else [fault]:
            for host in self._targets(broken):
                self._do(host, "start" if isinstance(broken, Kill) else "resume")
            if broken in self._broken:
                self._broken.remove(broken)

    def verify(self, fault: Fault) -> Sighting:
        connected = self._cluster.connected_agents()
        up = {
            host.name: self._cluster.answers(host.url, "/healthz") is not None
            if host.url
            else host.name in connected
            for host in self._targets(fault)
        }
        real = None if len(set(up.values())) > 1 else not all(up.values())
        return Sighting(real, f"answers or connected: {up}")

    def _targets(self, fault: Fault) -> list[StagedHost]:
        if not isinstance(fault, Kill | Pause):
            raise NemesisError(f"a drill does not inject {type(fault).__name__}")
        unknown = [name for name in fault.processes if name not in self._hosts]
        if unknown:
            raise NemesisError(f"{unknown[0]}: a drill breaks whole hosts of the file only")
        return [self._hosts[name] for name in fault.processes]

    def _do(self, host: StagedHost, word: str) -> None:
        command = host.commands.get(word)
        if command is None:
            raise NemesisError(f"{host.name}: the file has no {word!r} command")
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=COMMAND_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise NemesisError(f"{host.name}: {word} took longer than {COMMAND_S:g} s: {command}") from None
        if done.returncode:
            raise NemesisError(
                f"{host.name}: {word} ended with {done.returncode}: {done.stderr.strip()[:300]}"
            )
