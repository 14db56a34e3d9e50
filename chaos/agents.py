"""An agent under test: its processes, its spooler's, its host's, and its configuration."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.programs import (
    Program,
    alive,
    command_line,
    processes_naming,
    signal_all,
    tree,
    wait_for,
    write_toml,
)

GONE_S = 15.0


@dataclass(slots=True)
class Agent(Program):
    addresses: tuple[str, ...] = ()  #: base URLs of the nodes over this agent's own links
    settings: dict[str, Any] = field(default_factory=dict)  #: more for its configuration

    def pids(self) -> dict[str, int]:
        """The agent and its spooler, as far as they run."""
        found = {}
        if self.process is not None and self.process.poll() is None:
            found["agent"] = self.process.pid
        spooler = self.spooler()
        if spooler is not None:
            found["spooler"] = spooler
        return found

    def spooler(self) -> int | None:
        """Pid of its spooler: the process of that module that names this agent's data directory."""
        for pid in processes_naming(f"{self.data}"):
            if " agent.spool " in command_line(pid):
                return pid
        return None

    def work(self) -> list[int]:
        """The spooler and everything that it started."""
        spooler = self.spooler()
        return [] if spooler is None else tree(spooler)

    def kill_spooler(self) -> None:
        """SIGKILL to the spooler alone."""
        pid = self.spooler()
        if pid is not None:
            signal_all([pid], signal.SIGKILL)
            wait_for(lambda: not alive(pid), GONE_S, f"the spooler of {self.name} is gone")

    def kill_host(self) -> None:
        """SIGKILL to all that the loss of the host would end; when it starts again, it is another boot."""
        work = self.work()
        self.kill()
        signal_all(work, signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in work), GONE_S, f"the work of {self.name} is gone")
        self.boot()

    def boot(self) -> None:
        """The host's next boot: another boot id."""
        (self.directory / "boot_id").write_text(secrets.token_hex(16))


def write_agent_config(agent: Agent, *, token: str, slots: int) -> None:
    """The agent's TOML, as an operator would write it."""
    settings: dict[str, Any] = {
        "name": agent.name,
        "zone": agent.zone,
        "pool": "default",
        "slots": slots,
        "nodes": list(agent.addresses),
        "token": token,
        "data": str(agent.data),
        "boot_id_file": str(agent.directory / "boot_id"),
        "parent_pid": os.getpid(),
        **agent.settings,
    }
    os.makedirs(agent.data, mode=0o700, exist_ok=True)
    agent.boot()
    write_toml(agent.config, settings)


def own_zone_first(agent_zone: str, nodes: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """URLs of (zone, url) in the order in which an agent of this zone should try them."""
    return tuple(url for _, url in sorted(nodes, key=lambda node: node[0] != agent_zone))
