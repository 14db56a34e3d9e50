"""The cluster as each of its nodes sees it."""

from __future__ import annotations

from typing import Any

from cli.client import Client
from cli.exits import Failure

NODE_ANSWER_S = 1.5


def views(client: Client, first: dict[str, Any]) -> dict[str, dict[str, Any] | None]:
    """By name, each node's own view; None where it does not answer. `first` is that of the node that was
    asked."""
    found: dict[str, dict[str, Any] | None] = {first["node"]: first}
    for peer in first["peers"]:
        if peer["node"] in found:
            continue
        found[peer["node"]] = None
        if peer.get("url"):
            one = Client(client.target.at(peer["url"]), within_s=NODE_ANSWER_S)
            try:
                found[peer["node"]] = one.get("/v1/cluster")
            except Failure:
                continue
    return dict(sorted(found.items()))
