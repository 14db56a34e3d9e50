"""`cronclave cluster token`: invitations for new nodes and agents."""

from __future__ import annotations

import secrets

import click

from cli.client import Client, path_of
from cli.exits import NOT_FOUND, Failure
from cli.join_token import JoinToken, fingerprints
from cli.lazy import Group
from cli.options import SPAN, connected


@click.group("token", cls=Group, epilog="Example: cronclave cluster token create --role agent --ttl 1h")
def join_tokens() -> None:
    """Invite new nodes and agents; `cronclave token` lists and withdraws what was given."""


@join_tokens.command("create", epilog="Example: cronclave cluster token create --role node --name node-4")
@click.option("--role", type=click.Choice(["node", "agent"]), required=True, help="What joins by it.")
@click.option("--name", metavar="NAME", help="The one node or agent that may join by it.")
@click.option("--pool", metavar="POOL", help="The pool that its agents belong to.")
@click.option(
    "--ttl", type=SPAN, default="1h", show_default=True, help="How long it may be used; 7d at most."
)
@click.option(
    "--uses", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many may join."
)
@connected
def create(client: Client, role: str, name: str | None, pool: str | None, ttl: float, uses: int) -> None:
    """Print a join token, this once: the cluster keeps a hash.

    It holds the nodes' addresses and the fingerprint of the CA, so the machine that joins knows the cluster
    before it tells the secret.
    """
    view = client.get("/v1/cluster")
    urls = [view["url"], *(peer["url"] for peer in view["peers"])]
    bundle = _bundle(client)
    made = client.post(
        path_of("tokens"),
        {
            "name": f"join-{secrets.token_hex(4)}",
            "role": f"join-{role}",
            "ttl_s": max(1, int(ttl)),
            "uses": uses,
            **({"holder": name} if name else {}),
            **({"pool": pool} if pool else {}),
        },
    )
    click.echo(JoinToken(tuple(url for url in urls if url), fingerprints(bundle), made["token"]).encode())
    times = "once" if uses == 1 else f"{uses} times"
    click.echo(f"{made['name']}: good {times}, until {made['expires']}; on the new machine:", err=True)
    click.echo(f"  {_next(role, name, pool)}", err=True)


def _next(role: str, name: str | None, pool: str | None) -> str:
    """The command that uses it."""
    if role == "node":
        return f"cronclave cluster join {name or 'NODE'} --token … --zone … --http HOST:PORT --raft HOST:PORT"
    return f"cronclave agents join {name or 'AGENT'} --token … --zone …{f' --pool {pool}' if pool else ''}"


def _bundle(client: Client) -> str:
    """Over the connection of this command, which was checked; empty in a cluster without TLS."""
    try:
        return client.open("GET", "/v1/ca").read().decode()
    except Failure as failure:
        if failure.exit_code == NOT_FOUND:
            return ""
        raise
