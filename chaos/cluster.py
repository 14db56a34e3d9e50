"""A cluster under test: nodes and agents by zone, each with data, log, pids and URL, over links that can
break.

    with Cluster.lay_out(root, Shape(profile="switch")) as cluster:
        cluster.start()
        leader = cluster.leader()
        leader.kill()
        cluster.leader(other_than=leader.name)
        leader.start()
        cluster.wait_ready()

Names: nodes node-1…, agents agent-1…, zones zone-a…; they are also the names of the hosts in link faults,
beside "client", where the harness's requests come from.
"""

from __future__ import annotations

import base64
import secrets
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2

from chaos import clocks
from chaos.agents import Agent, own_zone_first, write_agent_config
from chaos.faults import CLIENT
from chaos.links import Links, Profile, make_links
from chaos.nemesis.disk import SmallDisks, load_shim
from chaos.nodes import Node, write_node_config
from chaos.ports import Ports
from chaos.programs import Program, alive, need_going, signal_all, wait_for

READY_S = 60.0
ANSWER_S = 2.0
GONE_S = 15.0
ZONES = {"zone-a": 1, "zone-b": 1, "zone-c": 1}
ZONE_OF_VISITORS = "zone-v"  #: without nodes: no plan loses it
PORTS = (27000, 28000)


@dataclass(frozen=True, slots=True)
class Shape:
    """What to start. A command list in place of the node's lets a test start a node with a defect in it."""

    nodes: Mapping[str, int] = field(default_factory=lambda: dict(ZONES))  #: how many in each zone
    agents: Mapping[str, int] = field(default_factory=lambda: dict(ZONES))
    profile: Profile = "direct"
    visitors: int = 0  #: agents that come and go (chaos.visitors); `start` leaves them alone
    slots: int = 64
    ports: tuple[int, int] = PORTS
    seed: int = 0  #: of chance in links
    node_command: tuple[str, ...] = (sys.executable, "-m", "node")
    agent_command: tuple[str, ...] = (sys.executable, "-m", "agent")
    environment: Mapping[str, str] = field(default_factory=dict)  #: of every program
    #: where it can be had, every node has a small disk and the fault shim: for faults of disks and clocks
    breakable: bool = True
    disk_bytes: int = 384 << 20
    other_zones: str = ""  #: the node whose host has another tzdata (chaos.clocks)
    #: more tables for every node's configuration
    node_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Cluster:
    """The programs of one cluster and what lies between them."""

    def __init__(
        self,
        root: Path,
        uid: str,
        token: str,
        shape: Shape,
        links: Links,
        nodes: list[Node],
        agents: list[Agent],
        visitors: list[Agent],
    ) -> None:
        self.root = root
        self.uid = uid
        self.token = token  #: of an administrator
        self.shape = shape
        self.links = links
        self.nodes = nodes
        self.agents = agents
        self.visitors = visitors
        self._disks: SmallDisks | None = None
        self._http = httpx2.Client(
            headers={"authorization": f"Bearer {token}"}, timeout=ANSWER_S, trust_env=False
        )

    # -- laying out, starting and ending

    @classmethod
    def lay_out(cls, root: Path, shape: Shape) -> Cluster:
        """Links and configurations of a new cluster; starts no node. Raises NemesisError where links of
        this profile cannot be had here."""
        uid, token = secrets.token_hex(16), secrets.token_urlsafe(32)
        ports = Ports(*shape.ports)
        node_zones = [zone for zone, count in shape.nodes.items() for _ in range(count)]
        agent_zones = [zone for zone, count in shape.agents.items() for _ in range(count)]
        nodes = [
            Node(f"node-{i + 1}", zone, root / f"node-{i + 1}", shape.node_command)
            for i, zone in enumerate(node_zones)
        ]
        agents = [
            Agent(f"agent-{i + 1}", zone, root / f"agent-{i + 1}", shape.agent_command)
            for i, zone in enumerate(agent_zones)
        ]
        visitors = [
            Agent(f"visitor-{i + 1}", ZONE_OF_VISITORS, root / f"visitor-{i + 1}", shape.agent_command)
            for i in range(shape.visitors)
        ]
        hosts: list[Program] = [*nodes, *agents, *visitors]
        root.mkdir(parents=True, exist_ok=True)
        links = make_links(shape.profile, root=root, ports=ports, seed=shape.seed)
        disks: SmallDisks | None = None
        try:
            links.begin([*(host.name for host in hosts), CLIENT])
            _connect(nodes, [*agents, *visitors], links, ports)
            for program in hosts:
                program.enter = links.enter(program.name)
                program.environment = dict(shape.environment)
                if program.name == shape.other_zones:
                    clocks.lay_down(root / "tzdata")
                    program.environment = clocks.with_wheel(shape.environment, root.absolute() / "tzdata")
            if shape.breakable:
                disks = SmallDisks(nodes, size_bytes=shape.disk_bytes)
                load_shim(nodes, root)
            secret_key = root / "secrets.key"
            secret_key.touch(0o600)
            secret_key.write_text(base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
            for node in nodes:
                node.settings = {"webhooks": {"loopback": True}}  # who is told of failures is this process
                node.settings |= {"secrets": {"key_file": str(secret_key)}}
                node.settings |= {table: dict(more) for table, more in shape.node_settings.items()}
                write_node_config(node, nodes, cluster=uid, token=token, insecure=node.enter is not None)
            for agent in [*agents, *visitors]:
                write_agent_config(agent, token=token, slots=shape.slots)
        except BaseException:
            links.end()
            if disks is not None:
                disks.end()
            raise
        cluster = cls(root, uid, token, shape, links, nodes, agents, visitors)
        cluster._disks = disks
        return cluster

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, deadline_s: float = READY_S) -> None:
        """Start what does not run; wait until every node is ready and every agent connected."""
        for program in self.programs:
            program.start()
        self.wait_ready(deadline_s=deadline_s)
        self.wait_agents(deadline_s=deadline_s)

    def stop(self) -> None:
        """Kill everything that was started here, spoolers and running work included; take the links
        away."""
        hosts = [*self.programs, *self.visitors]
        pids = [pid for program in hosts for pid in program.pids().values()]
        pids += [pid for agent in [*self.agents, *self.visitors] for pid in agent.work()]
        for program in hosts:
            program.kill()
        signal_all(pids, signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in pids), GONE_S, "every process is gone")
        self._http.close()
        self.links.end()
        if self._disks is not None:
            self._disks.end()

    # -- finding

    @property
    def programs(self) -> list[Program]:
        """What a plan may break."""
        return [*self.nodes, *self.agents]

    @property
    def zones(self) -> list[str]:
        return list(dict.fromkeys(program.zone for program in self.programs))

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def agent(self, name: str) -> Agent:
        return next(agent for agent in self.agents if agent.name == name)

    def hosts_in(self, zone: str) -> list[str]:
        """Names of the nodes and agents of this zone."""
        return [program.name for program in self.programs if program.zone == zone]

    # -- asking

    def ask(self, node: Node, path: str) -> httpx2.Response | None:
        """One GET to this node over the client's link; None: no answer."""
        try:
            return self._http.get(f"{node.url}{path}")
        except httpx2.HTTPError:
            return None

    def ready(self, node: Node) -> bool:
        """Whether it says that it follows or leads a quorum and is caught up."""
        reply = self.ask(node, "/readyz")
        return reply is not None and reply.status_code == 200

    def statuses(self) -> dict[str, dict[str, Any]]:
        """What each node that answers says of itself, without asking for consensus."""
        found = {}
        for node in self.nodes:
            reply = self.ask(node, "/v1/cluster?consistency=stale") if node.running else None
            if reply is not None and reply.status_code == 200:
                with suppress(ValueError):
                    found[node.name] = reply.json()
        return found

    def leader_now(self, *, other_than: str = "") -> Node | None:
        """The node that leads with a quorum by its own word; of several the one of the highest term."""
        claims = [
            (status["term"], name)
            for name, status in self.statuses().items()
            if status["state"] == "leader" and status["quorum"] and name != other_than
        ]
        return self.node(max(claims)[1]) if claims else None

    # -- waiting

    def leader(self, *, other_than: str = "", deadline_s: float = READY_S) -> Node:
        return wait_for(lambda: self.leader_now(other_than=other_than), deadline_s, "a leader")

    def wait_ready(self, *, deadline_s: float = READY_S) -> None:
        """Until every node that runs is ready. Raises EndedError where one has ended by itself."""

        def ready() -> bool:
            need_going(self.nodes)
            return all(self.ready(node) for node in self.nodes if node.running)

        wait_for(ready, deadline_s, "all nodes ready")

    def wait_agents(self, *, deadline_s: float = READY_S) -> None:
        """Until every agent that runs is connected. Raises EndedError where one has ended by itself."""
        names = {agent.name for agent in self.agents if agent.running}

        def connected() -> bool:
            need_going(self.agents)
            for node in self.nodes:
                reply = self.ask(node, "/v1/agents?limit=1000") if node.running else None
                if reply is not None and reply.status_code == 200:
                    return names <= {a["name"] for a in reply.json()["items"] if a["connected"]}
            return False

        wait_for(connected, deadline_s, f"agents {sorted(names)} connected", 0.1)

    def logs(self) -> dict[str, str]:
        """The last lines of every program's log."""
        return {program.name: program.log_tail() for program in [*self.programs, *self.visitors]}


def _connect(nodes: list[Node], agents: list[Agent], links: Links, ports: Ports) -> None:
    """Where everybody listens, and what everybody dials."""
    for node in nodes:
        host = links.listen_host(node.name)
        node.http, node.raft = f"{host}:{ports.take()}", f"{host}:{ports.take()}"
        node.url = f"http://{links.address(CLIENT, node.name, node.http)}"
        # Nodes tell this URL to each other and to agents. Between proxies there is no address that is right
        # for every caller: a node that asks another for output does so as a client would.
        node.advertised = f"http://{node.http}" if links.enter(node.name) else node.url
    for node in nodes:
        for peer in nodes:
            address = links.address(node.name, peer.name, peer.raft) if peer is not node else peer.raft
            if address != peer.raft:
                node.dial[peer.name] = address
    for agent in agents:
        urls = [(node.zone, f"http://{links.address(agent.name, node.name, node.http)}") for node in nodes]
        agent.addresses = own_zone_first(agent.zone, urls)
        # Nodes tell agents one address for all: between proxies it would lead past the agent's own links.
        agent.settings["fixed_nodes"] = True
        if links.enter(agent.name) is not None:
            agent.settings["insecure"] = True
