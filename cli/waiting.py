"""Why a run does not start: said where a person would otherwise look at `pending` and wonder. The cluster
knows (`run explain`)."""

from __future__ import annotations

from typing import Any

from cli.client import Client, path_of
from cli.exits import Failure
from cli.options import consistency

UNBEGUN = ("pending", "held", "suspended")
UNDER_WAY = "attempt"  #: the gate of what an agent has already
INSIDE = ("tasks", "members")  #: gates of what waits for the end of what is in it: why that waits says more


def waits_for(client: Client, run: dict[str, Any], *, stale: bool = False) -> str:
    """What keeps a run from its start, or a person from going on, and why; empty where nothing does."""
    gate = _closed(client, run, None, stale=stale) if run.get("state") in UNBEGUN else None
    return f"{gate['opens']}: {gate['reason']}" if gate else ""


def held_up_by(client: Client, run: dict[str, Any], task: str | None) -> str:
    """What a run, or its task, has been waiting for; the same words as long as that is the same. Empty where
    nothing is known to keep it."""
    gate = _closed(client, run, task)
    return f"{gate['opens']} (cronclave run explain {run['id']})" if gate else ""


def _closed(
    client: Client, run: dict[str, Any], task: str | None, *, stale: bool = False
) -> dict[str, Any] | None:
    """The first closed gate of the run, or of its tasks (of that one); None: something of it goes on."""
    if run.get("finished") is not None:
        return None
    try:
        told = client.get(path_of("runs", run["id"], "explain", consistency=consistency(stale)))
    except Failure:
        return None
    tasks = [each for each in told["tasks"] if task in (None, each["task"])]
    if any(each["verdict"] == "ready" or _is_on_an_agent(each) for each in tasks):
        return None
    gates = [gate for each in (told, *tasks) for gate in each["gates"] if gate["gate"] != UNDER_WAY]
    closed = [gate for gate in gates if gate["state"] == "waits"]
    return next((gate for gate in closed if gate["gate"] not in INSIDE), closed[0] if closed else None)


def _is_on_an_agent(task: dict[str, Any]) -> bool:
    return task["state"] == "active" and any(gate["gate"] == UNDER_WAY for gate in task["gates"])
