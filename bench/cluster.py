"""A real cluster for one benchmark or test: processes, data directories, sockets.

Rules: nodes are `python -m node`, agents `python -m agent`, each a process tree of its own with a data
directory and a log under one root; faults are signals to the very pids that were started; everything
ends with `stop`, and with the parent's death. Nothing is waited for by sleeping: `wait_for` takes a condition
and a deadline, which is a limit and no measurement.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.builds import HERE, Build
from bench.builds import PROJECT as PROJECT
from bench.client import Client, UnansweredError

# The processes and ports of a machine are one concept, which the chaos harness owns.
from chaos.ports import claim, is_free
from chaos.programs import DeadlineError as DeadlineError
from chaos.programs import Started, need_going, pids_of_node, write_toml
from chaos.programs import alive as alive
from chaos.programs import command_line as command_line
from chaos.programs import processes_naming as processes_naming
from chaos.programs import signal_all as signal_all
from chaos.programs import start_process as start_process
from chaos.programs import tail_of as tail_of
from chaos.programs import tree as tree
from chaos.programs import wait_for as wait_for

READY_S = 60.0
Starter = Callable[..., Started]  # of a command, with `log` and `cwd`
PORTS_A_NODE = 10


def free_base_port(low: int, high: int, nodes: int) -> int:
    """A base port in [low, high) from which every node's two ports are free and claimed for this process:
    two test runs on one machine keep out of each other's ports, also while their nodes are down."""
    for base in range(low, high - PORTS_A_NODE * nodes, PORTS_A_NODE * (nodes + 1)):
        firsts = [base + PORTS_A_NODE * i for i in range(nodes)]
        if all(claim(port) and is_free(port) and is_free(port + 1) for port in firsts):
            return base
    raise DeadlineError(f"no {nodes} pairs of free ports in {low}-{high}")


@dataclass(slots=True)
class Program:
    """One started program with its directory; `process` is None while it does not run."""

    name: str
    zone: str
    directory: Path
    module: str
    process: Started | None = None
    launcher: str = ""  #: the module to start in place of `module`: another version of it
    build: Build = HERE
    starter: Starter = start_process  #: how: tests fork what is loaded already (tests/e2e/forked.py)

    @property
    def config(self) -> Path:
        return self.directory / f"{self.module}.toml"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    def start(self) -> None:
        """Start it without waiting for anything."""
        if self.process is not None and self.process.poll() is None:
            raise RuntimeError(f"{self.name} runs already")
        self.process = self.starter(
            [self.build.python, "-m", self.launcher or self.module, "--config", str(self.config)],
            log=self.log,
            cwd=self.build.project,
        )

    def reap(self) -> None:
        """Wait for the end of a process that was told to end."""
        if self.process is not None:
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def log_tail(self) -> str:
        return tail_of(self.log)


@dataclass(slots=True)
class Node(Program):
    url: str = ""
    raft: str = ""

    def pids(self) -> dict[str, int]:
        """Supervisor, core and front, as far as they run."""
        return pids_of_node(self.process, self.data)

    def kill(self) -> None:
        """SIGKILL to the core first, since it decides, then to the rest."""
        pids = self.pids()
        signal_all([pids[role] for role in ("core", "front", "supervisor") if role in pids], signal.SIGKILL)
        self.reap()

    def end(self) -> int:
        """SIGTERM, as a service manager stops it: a leader hands over first. Gives the exit code."""
        assert self.process is not None
        process = self.process
        process.terminate()
        self.reap()
        return process.returncode

    def kill_front(self) -> int:
        """SIGKILL to the front alone; gives its pid."""
        front = self.pids()["front"]
        os.kill(front, signal.SIGKILL)
        return front

    def freeze(self) -> None:
        pids = self.pids()
        signal_all([pids[role] for role in ("core", "front", "supervisor") if role in pids], signal.SIGSTOP)

    def thaw(self) -> None:
        signal_all(list(self.pids().values()), signal.SIGCONT)


@dataclass(slots=True)
class Agent(Program):
    def spooler(self) -> int | None:
        """Pid of its spooler: the process of that module that names this agent's data directory."""
        found = [pid for pid in processes_naming(str(self.data)) if " agent.spool" in command_line(pid)]
        return found[0] if found else None

    def kill_spooler(self) -> None:
        """SIGKILL to the spooler alone."""
        signal_all([pid for pid in [self.spooler()] if pid is not None], signal.SIGKILL)

    def kill_host(self) -> None:
        """SIGKILL to all that a reboot of the host would end: agent, spooler, work."""
        spooler = self.spooler()
        spooled = [] if spooler is None else tree(spooler)
        self.kill()
        signal_all(spooled, signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in spooled), READY_S, "the host's processes gone")

    def kill(self) -> None:
        """SIGKILL to the agent alone: its spooler and the running work stay."""
        if self.process is not None:
            self.process.kill()
            self.reap()

    def freeze(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)


@dataclass(slots=True)
class Cluster:
    """Nodes in zones of their own, and agents spread over the zones."""

    root: Path
    uid: str
    token: str
    nodes: list[Node]
    agents: list[Agent]
    client: Client
    killed_ms: list[int] = field(default_factory=list)

    # -- starting and ending

    def start(self, *, deadline_s: float = READY_S) -> None:
        """Start what does not run and wait until every node is ready and every agent is connected."""
        for program in [*self.nodes, *self.agents]:
            if program.process is None:
                program.start()
        self.wait_ready(deadline_s=deadline_s)
        self.wait_agents(deadline_s=deadline_s)

    def wait_ready(self, *, deadline_s: float = READY_S) -> None:
        """Raises EndedError where a node has ended by itself."""

        def ready() -> bool:
            need_going(self.nodes)
            return all(self.ready(i) for i in range(len(self.nodes)))

        wait_for(ready, deadline_s, "all nodes ready")

    def wait_agents(self, *, deadline_s: float = READY_S) -> None:
        """Raises EndedError where an agent has ended by itself."""
        names = {agent.name for agent in self.agents}

        def connected() -> bool:
            need_going(self.agents)
            try:
                return names <= {a["name"] for a in self.client.items("/v1/agents") if a["connected"]}
            except UnansweredError:
                return False

        wait_for(connected, deadline_s, f"agents {sorted(names)} connected", 0.1)

    def wait_home(self, *, deadline_s: float = READY_S) -> None:
        """Each agent is connected to the node of its own zone again."""
        homes = {node.zone: node.name for node in self.nodes}
        want = {(agent.name, homes[agent.zone]) for agent in self.agents}

        def home() -> bool:
            try:
                return want <= {(a["name"], a["node"]) for a in self.client.items("/v1/agents")}
            except UnansweredError:
                return False

        wait_for(home, deadline_s, "each agent at the node of its zone", 0.1)

    def ready(self, node: int) -> bool:
        """Whether this node says that it follows or leads a quorum and is caught up."""
        try:
            return self.client.send("GET", "/readyz", node=node, timeout_s=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def kill_nodes(self) -> None:
        """SIGKILL to all processes of all nodes at once: every core first."""
        pids = [node.pids() for node in self.nodes]
        for role in ("core", "front", "supervisor"):
            signal_all([found[role] for found in pids if role in found], signal.SIGKILL)
        for node in self.nodes:
            node.reap()

    def stop(self) -> None:
        """Kill everything that was started here, the spoolers and their work included."""
        self.client.close()
        spooled = [
            pid for agent in self.agents if (root := agent.spooler()) is not None for pid in tree(root)
        ]
        for agent in self.agents:
            agent.thaw()
            agent.kill()
        for node in self.nodes:
            node.thaw()
            node.kill()
        signal_all(spooled, signal.SIGKILL)

    def set_nodes(self, nodes: list[Node]) -> None:
        """Another membership: from now on these are the nodes."""
        self.client.close()
        self.nodes = nodes
        self.client = Client([node.url for node in nodes], self.token, self.client.ca)

    # -- looking

    def statuses(self) -> dict[str, dict[str, Any]]:
        """What each node that answers says of itself, without asking for consensus."""
        found = {}
        for number, node in enumerate(self.nodes):
            if node.process is None:
                continue
            with suppress(OSError, http.client.HTTPException, ValueError):
                reply = self.client.send("GET", "/v1/cluster?consistency=stale", node=number, timeout_s=2)
                if reply.status == 200:
                    found[node.name] = reply.json()
        return found

    def status(self, node: Node, *, deadline_s: float = READY_S) -> dict[str, Any]:
        """What this node says of itself, as soon as it answers."""
        return wait_for(lambda: self.statuses().get(node.name), deadline_s, f"{node.name} answers")

    def leader(self, *, other_than: str = "", deadline_s: float = READY_S) -> Node:
        """The node that leads with a quorum, by its own word; of several the one of the highest term."""

        def leading() -> str | None:
            claims = [
                (s["term"], name)
                for name, s in self.statuses().items()
                if s["state"] == "leader" and s["quorum"] and name != other_than
            ]
            return max(claims)[1] if claims else None

        name = wait_for(leading, deadline_s, "a leader")
        return next(node for node in self.nodes if node.name == name)

    def client_without(self, node: Node) -> Client:
        """A client that knows the other nodes only."""
        return Client([other.url for other in self.nodes if other is not node], self.token, self.client.ca)

    def equal_heads(self, *, deadline_s: float = 60.0) -> dict[str, tuple[int, str, str]]:
        """Waits until all nodes are at one index; gives index, state hash and ledger head of each there."""

        def same_index() -> dict[str, tuple[int, str, str]] | None:
            told = {
                name: (s["index"], s["state_hash"], s["ledger_head"]) for name, s in self.statuses().items()
            }
            indices = {index for index, _, _ in told.values()}
            return told if len(told) == len(self.nodes) and len(indices) == 1 else None

        return wait_for(same_index, deadline_s, "all nodes at one index")

    def logs(self) -> Iterator[tuple[str, str]]:
        """Name and last lines of every log."""
        for program in [*self.nodes, *self.agents]:
            yield program.name, program.log_tail()

    def resident_bytes(self) -> dict[str, dict[str, int]]:
        """Resident memory of each node's processes."""
        page = os.sysconf("SC_PAGE_SIZE")
        told: dict[str, dict[str, int]] = {}
        for node in self.nodes:
            told[node.name] = {}
            for role, pid in node.pids().items():
                with suppress(OSError):
                    told[node.name][role] = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        return told

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time so far of each kind of process, over the whole cluster."""
        spent: dict[str, float] = {}
        pids = [(role, pid) for node in self.nodes for role, pid in node.pids().items()]
        pids += [("agent", a.process.pid) for a in self.agents if a.process is not None]
        pids += [("spooler", pid) for a in self.agents if (pid := a.spooler()) is not None]
        for role, pid in pids:
            spent[role] = spent.get(role, 0.0) + process_cpu_s(pid)
        return spent


_CPUCLOCK_SCHED = 2  #: clock_getcpuclockid(3) of a process gives its number and this, put together so


def process_cpu_s(pid: int) -> float:
    """CPU time so far of this process, threads that ended too, without that of children; 0: there is none.
    By its CPU clock, in nanoseconds: /proc/PID/stat counts hundredths of a second, of which an idle process
    takes one now and then."""
    clock = (~pid << 3) | _CPUCLOCK_SCHED
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def layout(
    root: Path, *, base_port: int, nodes: int = 3, agents: int = 2, slots: int = 64, boot_ids: bool = False,
    build: Build = HERE,
) -> Cluster:  # fmt: skip
    """Write the configuration of a new cluster; starts nothing. `boot_ids`: each agent reads its host's boot
    id from a file of its own, so that a test can reboot its host."""
    uid, token = secrets.token_hex(16), secrets.token_urlsafe(32)
    zones = [f"zone-{chr(ord('a') + i)}" for i in range(nodes)]
    made = [
        Node(
            f"node-{i + 1}",
            zones[i],
            root / f"node-{i + 1}",
            "node",
            url=f"http://127.0.0.1:{base_port + PORTS_A_NODE * i}",
            raft=f"127.0.0.1:{base_port + PORTS_A_NODE * i + 1}",
            build=build,
        )
        for i in range(nodes)
    ]
    for node in made:
        write_node_config(node, made, uid=uid, token=token)
    hosts = [
        Agent(f"agent-{i + 1}", zones[i % nodes], root / f"agent-{i + 1}", "agent", build=build)
        for i in range(agents)
    ]
    for number, agent in enumerate(hosts):
        settings: dict[str, Any] = {
            "name": agent.name,
            "zone": agent.zone,
            "pool": "default",
            "slots": slots,
            "nodes": [made[(number + j) % nodes].url for j in range(nodes)],
            "token": token,
            "data": str(agent.data),
            "parent_pid": os.getpid(),
        }
        agent.directory.mkdir(parents=True)
        if boot_ids:
            boot_id = agent.directory / "boot_id"
            boot_id.write_text(secrets.token_hex(16))
            settings["boot_id_file"] = str(boot_id)
        write_toml(agent.config, settings)
    return Cluster(root, uid, token, made, hosts, Client([node.url for node in made], token))


def write_node_config(
    node: Node,
    members: list[Node],
    *,
    uid: str,
    token: str,
    extra: Mapping[str, Any] | None = None,
    raft: Mapping[str, Any] | None = None,
) -> None:
    """The node's TOML. `extra`: top-level settings such as join = true; `raft`: of that table."""
    node.directory.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(token.encode()).hexdigest()
    tables: dict[str, dict[str, Any]] = {
        "node": {"name": node.name, "zone": node.zone, "data": str(node.data)},
        "http": {"listen": node.url.removeprefix("http://"), "url": node.url},
        "raft": {"listen": node.raft, **(raft or {})},
        "auth": {"bootstrap_token_sha256": digest},
    }
    tables["members"] = {m.name: {"raft": m.raft, "zone": m.zone, "url": m.url} for m in members}
    write_toml(node.config, {"cluster": uid, **(extra or {}), **tables})


@contextmanager
def temporary_root(parent: Path | None = None) -> Iterator[Path]:
    """A directory for one cluster, removed at the end."""
    root = Path(tempfile.mkdtemp(prefix="cronclave-bench-", dir=parent))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def running(
    *,
    ports: tuple[int, int] = (26000, 27000),
    agents: int = 2,
    slots: int = 64,
    parent: Path | None = None,
    build: Build = HERE,
) -> Iterator[Cluster]:
    """A started cluster that is gone at the end."""
    with temporary_root(parent) as root:
        cluster = layout(root, base_port=free_base_port(*ports, 3), agents=agents, slots=slots, build=build)
        try:
            cluster.start()
            yield cluster
        except BaseException:
            for name, tail in cluster.logs():
                print(f"--- {name}\n{tail}", file=sys.stderr)
            raise
        finally:
            cluster.stop()
