"""A node under test: its processes and its configuration."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.programs import Program, alive, pids_of_node, signal_all, write_toml

ROLES = ("core", "front", "supervisor")  #: in the order of a kill: the core decides


@dataclass(slots=True)
class Node(Program):
    url: str = ""  #: for clients, over the client's link
    advertised: str = ""  #: what it tells others as its URL
    http: str = ""  #: host:port where it listens
    raft: str = ""
    dial: dict[str, str] = field(default_factory=dict)  #: peer to the address that this node dials
    settings: dict[str, Any] = field(default_factory=dict)  #: more for its configuration
    own_disk: bool = False  #: its data directory is a small file system
    control: Path | None = None  #: of the fault shim that its processes are born with

    def pids(self) -> dict[str, int]:
        """Supervisor, core and front, as far as they run."""
        found = pids_of_node(self.process, self.data)
        return {role: pid for role, pid in found.items() if alive(pid)}

    def signal(self, number: int, roles: Sequence[str] = ROLES) -> list[int]:
        """Send this to these of its processes, the core first; gives their pids."""
        pids = self.pids()
        found = [pids[role] for role in ROLES if role in roles and role in pids]
        signal_all(found, number)
        return found

    def kill(self) -> None:
        """SIGKILL to all of it at once."""
        self.signal(signal.SIGKILL)
        self.reap()

    def reap(self) -> None:
        """Wait for the end of a node that was killed."""
        if self.process is not None:
            signal_all([self.process.pid], signal.SIGKILL)
            self.process.wait()
            self.process = None


def write_node_config(
    node: Node, members: Sequence[Node], *, cluster: str, token: str, insecure: bool = False
) -> None:
    """The node's TOML, as an operator would write it."""
    top: dict[str, Any] = {"cluster": cluster, **({"insecure": True} if insecure else {})}
    tables: dict[str, Mapping[str, Any]] = {
        "node": {"name": node.name, "zone": node.zone, "data": str(node.data)},
        "http": {"listen": node.http, "url": node.advertised},
        "raft": {"listen": node.raft},
        "auth": {"bootstrap_token_sha256": hashlib.sha256(token.encode()).hexdigest()},
    }
    for table, settings in node.settings.items():
        tables[table] = {**tables.get(table, {}), **settings}
    tables["members"] = {
        member.name: {"raft": member.raft, "zone": member.zone, "url": member.advertised}
        for member in members
    }
    if node.dial:
        tables["dial"] = node.dial
    os.makedirs(node.data, mode=0o700, exist_ok=True)
    write_toml(node.config, top | tables)
