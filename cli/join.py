"""`cronclave cluster join`: this machine becomes a new node of a running cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from cli.client import Client, path_of
from cli.exits import CONFLICT, Failure
from cli.options import HOST_PORT, connected
from cli.processes import module_command, module_environment


@click.command(
    "join",
    epilog="Example: cronclave cluster join node-4 --zone zone-b --http 127.0.0.1:8351 --raft 127.0.0.1:8352",
)
@click.argument("node")
@click.option("--zone", required=True, help="Its availability zone.")
@click.option(
    "--http",
    "http_address",
    required=True,
    type=HOST_PORT,
    metavar="HOST:PORT",
    help="Where its API listens.",
)
@click.option(
    "--raft", required=True, type=HOST_PORT, metavar="HOST:PORT", help="Where its Raft port listens."
)
@click.option(
    "--node-url", metavar="URL", help="Base URL of its API for others.  [default: http://HOST:PORT]"
)
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Where its configuration and data go.  [default: ./NODE]",
)  # fmt: skip
@click.option("--start", is_flag=True, help="Become the node at once.")
@connected
def join(
    client: Client, node: str, zone: str, http_address: str, raft: str, node_url: str | None, data: Path |
    None, start: bool,
) -> None:  # fmt: skip
    """Make this machine a new node of the cluster: admits the name, writes its configuration."""
    from cli.dev.layout import toml, write_private

    directory = (data or Path(node)).absolute()
    config = directory / "node.toml"
    if config.exists():
        raise Failure(f"{config} exists already", code=CONFLICT, hint="Start it, or choose another --data.")
    view = client.get("/v1/cluster")
    members = [view, *view["peers"]]
    if node in [member["node"] for member in members]:
        raise Failure(
            f"{node} is a member already",
            code=CONFLICT,
            hint="A wiped node joins under a new name; remove the old one.",
        )
    url = node_url or f"http://{http_address}"
    try:  # before the name is admitted: names are used once
        (directory / "data").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"{directory} cannot be made: {error.strerror}", hint="Choose another --data."
        ) from None
    client.post(path_of("cluster", "members"), {"name": node, "address": raft, "zone": zone, "url": url})
    tables: dict[str, dict[str, Any]] = {
        "": {"cluster": view["cluster"], "join": True},
        "node": {"name": node, "zone": zone, "data": str(directory / "data")},
        "http": {"listen": http_address, "url": url},
        "raft": {"listen": raft},
    }
    for member in members:
        tables[f"members.{member['node']}"] = {
            "raft": member["address"],
            "zone": member["zone"],
            "url": member["url"],
        }
    write_private(config, toml(tables))
    click.echo(f"{node} is admitted; its configuration is {config}")
    if start:
        command = module_command("node", "--config", str(config))
        os.execve(command[0], command, module_environment(os.environ))
    click.echo(f"start it with: cronclave node --config {config}")
