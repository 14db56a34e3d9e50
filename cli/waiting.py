"""Why a run does not start: said where a person would otherwise look at `pending` and wonder."""

from __future__ import annotations

from typing import Any

from cli.client import Client, path_of
from cli.exits import Failure
from cli.output import cell_text


def wanted(job: dict[str, Any]) -> str:
    """The agents that the tasks of a job ask for, as `pool gpu, zone zone-a`."""
    found: list[str] = []
    for task in (job.get("tasks") or {}).values():
        on = task.get("on") or {}
        parts = [f"{name} {cell_text(on[name])}" for name in ("pool", "zone", "labels") if on.get(name)]
        text = ", ".join(parts)
        if text and text not in found:
            found.append(text)
    return " or ".join(found)


def waits_for(client: Client, run: dict[str, Any]) -> str:
    """What keeps a pending run from its start; empty where nothing is known to."""
    if run.get("state") != "pending":
        return ""
    try:
        job = client.get(path_of("jobs", run["job"], namespace=run["namespace"], consistency="stale"))
    except Failure:
        return ""
    if job.get("state") == "unplaceable":
        return f"an agent that can take it ({wanted(job)}); connected ones: cronclave agents list"
    return ""
