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


def held_up_by(client: Client, run: dict[str, Any], task: str | None) -> str:
    """What a run, or its task, has been waiting for, seen after a while; empty where nothing is known to."""
    if known := waits_for(client, run):
        return known
    named = {name: each for name, each in run["tasks"].items() if task in (None, name)}
    states = {each["state"] for each in named.values()}
    retries = [each["retry_at"] for each in named.values() if each.get("retry_at")]
    if "active" in states:
        return ""
    if retries:
        return f"the next attempt, at {min(retries)}"
    if "queued" in states:
        return "a free slot of an agent; who has some: cronclave agents list"
    if task is not None and "blocked" in states:
        return f"what task {task} needs: cronclave run show {run['id']}"
    return ""


def waits_for(client: Client, run: dict[str, Any]) -> str:
    """What keeps a pending run from its start; empty where nothing is known to."""
    if run.get("state") != "pending":
        return ""
    if run.get("waiting"):
        return "the job's other runs to end, by its overlap policy"
    try:
        job = client.get(path_of("jobs", run["job"], namespace=run["namespace"], consistency="stale"))
    except Failure:
        return ""
    if job.get("state") == "unplaceable":
        return f"an agent that can take it ({wanted(job)}); connected ones: cronclave agents list"
    return ""
