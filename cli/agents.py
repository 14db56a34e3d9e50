"""`cronclave agents`: who runs tasks. (`cronclave agent` is the program itself.)"""

from __future__ import annotations

import click

from cli.client import Client, path_of
from cli.lazy import Lazy, LazyGroup
from cli.options import connected, consistency, formatted, stale
from cli.output import facts, more, show

COMMANDS = {"join": Lazy("cli.agent_join:agent_join", "Make this host an agent of the cluster.")}


@click.group("agents", cls=LazyGroup, lazy=COMMANDS, epilog="Example: cronclave agents list")
def agents() -> None:
    """Look at agents, make this host one."""


@agents.command("list", epilog="Example: cronclave agents list -o json")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=500, show_default=True, help="At most.")
@stale
@formatted
@connected
def list_(client: Client, limit: int, stale: bool, form: str) -> None:
    """List agents with their zone, pool and load."""
    items, there_is_more = client.items(path_of("agents", consistency=consistency(stale)), limit)
    columns = ("agent", "state", "zone", "pool", "labels", "busy", "slots", "node", "version")
    show(
        form,
        items,
        columns,
        lambda: [
            (
                i["name"], i["state"], i["zone"], i["pool"], i["labels"], i["busy"], i["slots"], i["node"],
                i["version"],
            )
            for i in items
        ],
    )  # fmt: skip
    more(there_is_more, len(items))


@agents.command("show", epilog="Example: cronclave agents show agent-1")
@click.argument("name")
@stale
@formatted
@connected
def show_(client: Client, name: str, stale: bool, form: str) -> None:
    """Show one agent: where it is, what it can take, whether it is there."""
    found = client.get(path_of("agents", name, consistency=consistency(stale)))
    if form != "table":
        show(form, found, (), list)
        return
    facts(
        [
            ("agent", found["name"]),
            ("state", found["state"]),
            ("on node", found["node"]),
            ("since", found["connected_at"] if found["connected"] else found["disconnected_at"]),
            ("zone", found["zone"]),
            ("pool", found["pool"]),
            ("labels", found["labels"]),
            ("slots", f"{found['busy']} of {found['slots']} busy"),
            ("version", found["version"]),
            ("installation", found["installation"]),
        ]
    )
