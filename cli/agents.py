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


@agents.command("release", epilog="Example: cronclave agents release web-7")
@click.argument("name")
@click.option("--installation", metavar="ID", help="Which is meant.  [default: the one that has the name]")
@connected
def release(client: Client, name: str, installation: str | None) -> None:
    """Free an agent's name for another host: whoever has it is fenced for good.

    What it runs is not touched and counts as running until its leases end or a person resolves it: nothing
    runs twice. Withdraw its token as well (cronclave token revoke) where the old host is not trusted.
    """
    if installation is None:
        installation = client.get(path_of("agents", name))["installation"]
    client.post(path_of("agents", name, "release"), {"installation": installation})
    click.echo(f"{name} is free; installation {installation} does not come back under it")
