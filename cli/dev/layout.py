"""Names, ports, zones and files of a development cluster.

DIR/cluster.json (0600) holds what may never change for a data directory: the cluster's uid, its token, number
of nodes, base port. Starting again on the same directory continues that cluster.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import socket
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.dev.pools import POOL, agent_name
from cli.exits import CONFLICT, USAGE, Failure
from durable.files import replace_file

NODES_DEFAULT = 3
AGENTS_DEFAULT = 2
BASE_PORT_DEFAULT = 8321
PORTS_A_NODE = 10
HOST = "127.0.0.1"
DEMONSTRATION = "dev.sock"  #: by which its nodes ask `dev` to break something
SECRET_KEY_FILE = "secrets.key"
LOG_BYTES_KEPT = 16 << 20


@dataclass(frozen=True, slots=True)
class NodePlan:
    name: str
    zone: str
    directory: Path
    http_port: int
    raft_port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.http_port}"

    @property
    def raft(self) -> str:
        return f"{HOST}:{self.raft_port}"

    @property
    def config(self) -> Path:
        return self.directory / "node.toml"

    @property
    def processes(self) -> Path:
        return self.directory / "data" / "processes.json"


@dataclass(frozen=True, slots=True)
class AgentPlan:
    name: str
    zone: str
    directory: Path
    pool: str = POOL

    @property
    def config(self) -> Path:
        return self.directory / "agent.toml"

    @property
    def token(self) -> Path:
        """Its own (cli.dev.admission), never the administrator's."""
        return self.directory / "token"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a data directory keeps for good."""

    uid: str
    token: str
    nodes: int
    base_port: int
    sampled: bool = False  #: the sample jobs were applied once; who deletes them will not see them again


def zone_name(position: int) -> str:
    return f"zone-{string.ascii_lowercase[position]}"


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step, durably; nobody else can read it at any time."""
    replace_file(path, text.encode())


def open_identity(directory: Path, *, nodes: int | None, base_port: int | None) -> Identity:
    """The identity of this directory, made on first use. Raises Failure where the flags ask for another
    cluster.
    """
    path = directory / "cluster.json"
    if not path.exists():
        identity = Identity(
            uid=secrets.token_hex(16),
            token=secrets.token_urlsafe(32),
            nodes=NODES_DEFAULT if nodes is None else nodes,
            base_port=BASE_PORT_DEFAULT if base_port is None else base_port,
        )
        save_identity(directory, identity)
        return identity
    try:
        identity = Identity(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise Failure(
            f"{path} cannot be read: {error}", hint=f"Use another --data, or delete {directory}."
        ) from None
    for flag, asked, has in (
        ("--nodes", nodes, identity.nodes),
        ("--base-port", base_port, identity.base_port),
    ):
        if asked is not None and asked != has:
            raise Failure(
                f"the cluster in {directory} was made with {flag} {has}, not {asked}",
                code=CONFLICT,
                hint=f"Leave {flag} out, use another --data, or delete {directory} to begin anew.",
            )
    return identity


def save_identity(directory: Path, identity: Identity) -> None:
    write_private(directory / "cluster.json", json.dumps(asdict(identity), indent=2) + "\n")


def plan_nodes(directory: Path, identity: Identity) -> list[NodePlan]:
    last = identity.base_port + PORTS_A_NODE * (identity.nodes - 1) + 1
    if last > 65_535:
        raise Failure(f"port {last} does not exist", code=USAGE, hint="Choose a lower --base-port.")
    plans = []
    for i in range(identity.nodes):
        port = identity.base_port + PORTS_A_NODE * i
        plans.append(NodePlan(f"node-{i + 1}", zone_name(i), directory / f"node-{i + 1}", port, port + 1))
    return plans


def plan_agents(directory: Path, pools: Mapping[str, int], nodes: int) -> list[AgentPlan]:
    """So many of each pool, each pool spread over the zones."""
    return [
        AgentPlan(name := agent_name(pool, i + 1), zone_name(i % nodes), directory / name, pool)
        for pool, count in pools.items()
        for i in range(count)
    ]


def taken_ports(nodes: list[NodePlan]) -> list[tuple[int, str]]:
    """Ports that another program listens on, with what they were meant for."""
    taken = []
    for node in nodes:
        for port, use in ((node.http_port, f"{node.name} HTTP"), (node.raft_port, f"{node.name} Raft")):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError:
                    taken.append((port, use))
    return taken


def write_configurations(
    identity: Identity, nodes: list[NodePlan], agents: list[AgentPlan], *, slots: int, parent_pid: int
) -> None:
    """One TOML file for each program, as an operator would write it."""
    digest = hashlib.sha256(identity.token.encode()).hexdigest()
    key = nodes[0].directory.parent / SECRET_KEY_FILE
    if not key.exists():
        write_private(key, new_secret_key())
    for node in nodes:
        (node.directory / "data").mkdir(parents=True, exist_ok=True)
        document = {
            "cluster": identity.uid,
            "demonstration": str(node.directory.parent / DEMONSTRATION),
            "node": {"name": node.name, "zone": node.zone, "data": str(node.directory / "data")},
            "http": {"listen": f"{HOST}:{node.http_port}", "url": node.url},
            "raft": {"listen": node.raft},
            "members": {each.name: {"raft": each.raft, "zone": each.zone, "url": each.url} for each in nodes},
            "auth": {"bootstrap_token_sha256": digest},
            "secrets": {"key_file": str(key)},
            "sources": {"folders": ["/"]},  # this machine is the person's own
            "webhooks": {"loopback": True},  # to try notices with a listener on this machine
        }
        write_private(node.config, toml(document))
    for agent in agents:
        (agent.directory / "data").mkdir(parents=True, exist_ok=True)
        own_zone_first = sorted(nodes, key=lambda node: node.zone != agent.zone)
        settings = {
            "name": agent.name,
            "zone": agent.zone,
            "pool": agent.pool,
            "slots": slots,
            "nodes": [node.url for node in own_zone_first],
            "token_file": str(agent.token),
            "data": str(agent.directory / "data"),
            "parent_pid": parent_pid,
            "labels": {},
        }
        write_private(agent.config, toml(settings))


def new_secret_key() -> str:
    """The text of a key file: what all nodes encrypt secrets with."""
    return base64.b64encode(secrets.token_bytes(32)).decode() + "\n"


def toml(document: Mapping[str, Any]) -> str:
    """A configuration as TOML, whatever is in its names: a node may be called n1.example.com."""
    import tomli_w

    return tomli_w.dumps(document)


def trim_log(path: Path) -> None:
    """Put an overlong log of earlier starts aside; one older file is kept."""
    if path.exists() and path.stat().st_size > LOG_BYTES_KEPT:
        os.replace(path, path.with_name("log.1"))
