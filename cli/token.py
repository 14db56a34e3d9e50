"""`cronclave token`: who may talk to the cluster, and as what."""

from __future__ import annotations

import click

from cli.client import Client, path_of
from cli.options import connected, consistency, formatted, stale
from cli.output import show

ROLES = ("viewer", "operator", "submitter", "admin", "agent")


@click.group("token", epilog="Example: cronclave token create --role agent host-17")
def token() -> None:
    """Make and list bearer tokens."""


@token.command("create", epilog="Example: cronclave token create --role agent host-17 > /etc/cronclave/token")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), required=True, help="What it may do; agent: connect agents, no more."
)
@formatted
@connected
def create(client: Client, name: str, role: str, form: str) -> None:
    """Make a token and print its secret, this once: the cluster keeps a hash."""
    made = client.post(path_of("tokens"), {"name": name, "role": role})
    if form == "table":
        # Alone on its line, so that it can go straight into a file.
        click.echo(made["token"])
    else:
        show(form, made, (), list)


@token.command("list", epilog="Example: cronclave token list")
@stale
@formatted
@connected
def list_(client: Client, stale: bool, form: str) -> None:
    """List names and roles; secrets are not kept."""
    items = client.get(path_of("tokens", consistency=consistency(stale)))["items"]
    show(
        form,
        items,
        ("token", "role", "created"),
        lambda: [(item["name"], item["role"], item["created"]) for item in items],
    )
