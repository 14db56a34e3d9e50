"""`cronclave agents`: who runs tasks. (`cronclave agent` is the program itself.)"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import agent_names
from cli.examples import examples
from cli.exits import TIMED_OUT, Failure
from cli.instants import milliseconds, rfc3339
from cli.lazy import Lazy, LazyGroup
from cli.options import INSTANT, SPAN, connected, consistency, formatted, stale
from cli.output import facts, more, show

LOOK_S = 0.5  #: between two looks at an agent that drains

COMMANDS = {"join": Lazy("cli.agent_join:agent_join", "Make this host an agent of the cluster.")}


@click.group("agents", cls=LazyGroup, lazy=COMMANDS, epilog="Example: cronclave agents list")
def agents() -> None:
    """Look at agents, drain them, make this host one."""


@agents.command(
    "list",
    epilog=examples(
        "cronclave agents list -o json",
        "cronclave agents list --state disconnected --zone zone-b  # who is away",
    ),
)
@click.option(
    "--state", type=click.Choice(["connected", "disconnected", "draining"]), help="Only in this state."
)
@click.option("--zone", metavar="NAME", help="Only in this zone.")
@click.option("--pool", metavar="NAME", help="Only of this pool.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=500, show_default=True, help="At most.")
@stale
@formatted
@connected
def list_(
    client: Client, state: str | None, zone: str | None, pool: str | None, limit: int, stale: bool, form: str
) -> None:
    """List agents with their zone, pool and load."""
    path = path_of("agents", state=state, zone=zone, pool=pool, consistency=consistency(stale))
    items, there_is_more = client.items(path, limit)
    columns = ("agent", "state", "zone", "pool", "labels", "kinds", "busy", "slots", "node", "version")
    show(
        form,
        items,
        columns,
        lambda: [
            (
                i["name"], _state(i), i["zone"], i["pool"], i["labels"], i["kinds"], i["busy"], i["slots"],
                i["node"], i["version"],
            )
            for i in items
        ],
    )  # fmt: skip
    more(there_is_more, len(items))


@agents.command("show", epilog="Example: cronclave agents show agent-1")
@click.argument("name", shell_complete=agent_names)
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
            ("state", _state(found)),
            *([("drained for", found["drain_reason"])] if found["draining"] else []),
            *([("drained until", found["drain_until"])] if found["drain_until"] else []),
            ("on node", found["node"]),
            ("since", found["connected_at"] if found["connected"] else found["disconnected_at"]),
            ("zone", found["zone"]),
            ("pool", found["pool"]),
            ("labels", found["labels"]),
            ("kinds of work", found["kinds"]),
            *((f"knows of {kind}", words) for kind, words in found["features"].items() if words),
            ("slots", f"{found['busy']} of {found['slots']} busy"),
            ("version", found["version"]),
            ("installation", found["installation"]),
            *([("cloud id", found["cloud_id"])] if found["cloud_id"] else []),
        ]
    )


def _state(agent: dict[str, Any]) -> str:
    return f"{agent['state']}, draining" if agent["draining"] else str(agent["state"])


@agents.command(
    "drain",
    epilog=examples(
        "cronclave agents drain web-7 --reason 'new kernel' --wait 30m && ssh web-7 reboot",
        "cronclave agents resume web-7  # afterwards",
        "cronclave agents drain web-7 --until +2h  # it takes work again by itself",
    ),
)
@click.argument("name", shell_complete=agent_names)
@click.option("--reason", metavar="TEXT", default="", help="Why, for whoever looks at the agents.")
@click.option("--until", type=INSTANT, help="It takes work again by itself at this instant.")
@click.option("--wait", type=SPAN, help="Until nothing runs on it; exit code 7 after this.")
@connected
def drain(client: Client, name: str, reason: str, until: datetime | None, wait: float | None) -> None:
    """Let an agent start nothing more: before its host is rebooted, or taken away.

    What runs on it comes to its end, what was meant for it and has not started goes to other agents, or waits
    for one. It lasts until `agents resume` or --until, over restarts of the agent too.
    """
    given = {"reason": reason, "until": until and rfc3339(milliseconds(until))}
    found = client.post(
        path_of("agents", name, "drain"), {key: value for key, value in given.items() if value}
    )
    deadline_s = time.monotonic() + (wait or 0)
    while wait and found["busy"] and time.monotonic() < deadline_s:
        time.sleep(LOOK_S)
        found = client.get(path_of("agents", name))
    click.echo(f"{name} drains: {found['busy']} still run on it" if found["busy"] else f"{name} is drained")
    if wait and found["busy"]:
        raise Failure(f"{name} is not drained after {wait:g} s", code=TIMED_OUT)


@agents.command("resume", epilog="Example: cronclave agents resume web-7")
@click.argument("name", shell_complete=agent_names)
@connected
def resume(client: Client, name: str) -> None:
    """Let an agent that drains take work again."""
    client.post(path_of("agents", name, "resume"))
    click.echo(f"{name} takes work")


@agents.command("release", epilog="Example: cronclave agents release web-7")
@click.argument("name", shell_complete=agent_names)
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
