"""`cronclave agents join`: this host becomes an agent of the cluster.

Its secret is made here and only its hash is told, so the request may be repeated until a reply arrives.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import click

from cli.dev.layout import toml, write_private
from cli.exits import CONFLICT, Failure
from cli.founding import read_text
from cli.join_token import decode, join


@click.command("join", epilog="Example: cronclave agents join web-7 --token crj1.… --zone zone-a --pool web")
@click.argument("name")
@click.option(
    "--token", required=True, envvar="CRONCLAVE_TOKEN", metavar="TOKEN",
    help="Join token: cronclave cluster token create --role agent.",
)  # fmt: skip
@click.option("--zone", required=True, help="Availability zone of this host.")
@click.option("--pool", default="default", show_default=True, help="The pool that it belongs to.")
@click.option(
    "--slots", type=click.IntRange(1, 100_000), default=16, show_default=True, help="Attempts at once."
)
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Where its configuration and data go.  [default: ./NAME]",
)  # fmt: skip
def agent_join(name: str, token: str, zone: str, pool: str, slots: int, data: Path | None) -> None:
    """Make this host an agent: a token of its own, bound to its name and pool, and its configuration."""
    directory = (data or Path(name)).absolute()
    config, own = directory / "agent.toml", directory / "token"
    if config.exists():
        raise Failure(f"{config} exists already", code=CONFLICT, hint="Start it, or choose another --data.")
    invitation = decode(token)
    try:
        (directory / "data").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"{directory} cannot be made: {error.strerror}", hint="Choose another --data."
        ) from None
    if not own.exists():
        write_private(own, secrets.token_urlsafe(32) + "\n")
    digest = hashlib.sha256(read_text(own).strip().encode()).hexdigest()
    reply = join(invitation, {"name": name, "pool": pool, "sha256": digest})
    near_first = sorted(reply["members"], key=lambda member: member["zone"] != zone)
    settings = {
        "name": name,
        "zone": zone,
        "pool": pool,
        "slots": slots,
        "nodes": [member["url"] for member in near_first],
        "token_file": str(own),
        "data": str(directory / "data"),
    }
    if reply["ca"]:
        write_private(directory / "ca.pem", reply["ca"])
        settings["ca"] = str(directory / "ca.pem")
    write_private(config, toml(settings))
    click.echo(f"{name} has joined; its configuration is {config}")
    click.echo(f"start it with: cronclave agent --config {config}")
