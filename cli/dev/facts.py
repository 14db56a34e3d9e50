"""DIR/dev.json: where the cluster is, how to get in, and the processes as they are now.

    {"token": "…",
     "nodes":  [{"name", "zone", "url", "pid", "pids": {"core", "front"}}],
     "agents": [{"name", "zone", "pid"}]}

`pid` of a node is its supervisor; a pid is null while there is no such process. Written in one step (0600),
so a reader never sees half of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.dev.children import Child
from cli.dev.layout import AgentPlan, Identity, NodePlan, write_private


class Facts:
    """Writes the file when, and only when, something changed."""

    def __init__(
        self, path: Path, identity: Identity, nodes: list[NodePlan], agents: list[AgentPlan]
    ) -> None:
        self.path = path
        self._identity = identity
        self._nodes = nodes
        self._agents = agents
        self._written: dict[str, Any] | None = None

    def keep(self, children: Mapping[str, Child]) -> None:
        facts: dict[str, Any] = {"token": self._identity.token, "nodes": [], "agents": []}
        for node in self._nodes:
            pid = children[node.name].pid
            head = {"name": node.name, "zone": node.zone, "url": node.url, "pid": pid}
            facts["nodes"].append({**head, "pids": _inner(node.processes, pid)})
        for agent in self._agents:
            facts["agents"].append({"name": agent.name, "zone": agent.zone, "pid": children[agent.name].pid})
        if facts != self._written:
            write_private(self.path, json.dumps(facts, indent=2) + "\n")
            self._written = facts

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _inner(path: Path, pid: int | None) -> dict[str, int | None]:
    """The node's own word on its two processes; nothing where the file is of an earlier life."""
    nothing: dict[str, int | None] = {"core": None, "front": None}
    if pid is None:
        return nothing
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return nothing
    if said.get("pid") != pid:
        return nothing
    return {"core": said.get("core"), "front": said.get("front")}
