"""`cronclave token`: who may talk to the cluster, and as what."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import namespaces as completed_namespaces
from cli.completing import token_names
from cli.examples import examples
from cli.lazy import Group
from cli.options import SPAN, connected, consistency, formatted, stale
from cli.output import show

ROLES = ("viewer", "operator", "submitter", "approver", "admin", "agent")


class RoleIn(click.ParamType[tuple[str, str]]):
    """NAMESPACE=ROLE."""

    name = "role"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        namespace, _, role = str(value).partition("=")
        if not namespace or role not in ROLES:
            self.fail(f"{value!r} is not NAME=ROLE with a role of {', '.join(ROLES)}", param, ctx)
        return namespace, role


@click.group("token", cls=Group, epilog="Example: cronclave token create --role agent host-17")
def token() -> None:
    """Make, list and withdraw bearer tokens."""


@token.command(
    "create",
    epilog=examples(
        "cronclave token create --role agent host-17 > /etc/cronclave/token",
        "cronclave token create --role operator --namespace finance ann",
        "cronclave token create --in finance=operator --in web=viewer bob",
    ),
)
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), help="What it may do; agent: connect agents, no more.")
@click.option(
    "-n", "--namespace", "namespaces", metavar="NAME", multiple=True, shell_complete=completed_namespaces,
    help="In this namespace alone; may be given again.  [default: in all]",
)  # fmt: skip
@click.option(
    "--in", "roles", metavar="NAME=ROLE", multiple=True, type=RoleIn(),
    help="In place of --role: this role in this namespace, * for all; may be given again.",
)  # fmt: skip
@click.option("--ttl", type=SPAN, help="How long it is valid, such as 30d.  [default: for ever]")
@click.option(
    "--agent", "holder", metavar="NAME",
    help="With --role agent: the one agent that may use it.  [default: that of the token's name]",
)  # fmt: skip
@click.option(
    "--any-name", is_flag=True,
    help="With --role agent: for agents of any name that no other token is bound to. Give it a --pool.",
)  # fmt: skip
@click.option("--pool", metavar="POOL", help="With --role agent: the pool that its agents belong to.")
@formatted
@connected
def create(
    client: Client,
    name: str,
    role: str | None,
    namespaces: tuple[str, ...],
    roles: tuple[tuple[str, str], ...],
    ttl: float | None,
    holder: str | None,
    any_name: bool,
    pool: str | None,
    form: str,
) -> None:
    """Make a token and print its secret, this once: the cluster keeps a hash."""
    if bool(role) == bool(roles) or (roles and namespaces):
        raise click.UsageError("Say what it may: --role ROLE, perhaps with --namespace, or --in NAME=ROLE.")
    ttl_s = max(1, int(ttl)) if ttl else None
    what = {"role": role, "namespaces": list(namespaces), "roles": dict(roles)}
    limits = {"ttl_s": ttl_s, "holder": holder, "pool": pool, "any_name": any_name}
    document = {"name": name, **{key: value for key, value in {**what, **limits}.items() if value}}
    made = client.post(path_of("tokens"), document)
    if "warning" in made:
        click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {made['warning']}", err=True)
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
        ("token", "role", "in", "created", "until", "uses", "for", "pool"),
        lambda: [
            (
                item["name"], item["role"], _where(item), item["created"], item["expires"], item["uses"],
                item["holder"], item["pool"],
            )
            for item in items
        ],
    )  # fmt: skip


def _where(item: dict[str, Any]) -> str:
    """The namespaces of a listed token, with its roles where they differ."""
    if item["role"] == "several":
        return ", ".join(f"{name}={role}" for name, role in item["roles"].items())
    return ", ".join(item["namespaces"] or ["*"])


@token.command("revoke", epilog="Example: cronclave token revoke agent:web-7")
@click.argument("name", shell_complete=token_names)
@connected
def revoke(client: Client, name: str) -> None:
    """Withdraw a token: agents that are connected by it leave. The last administrator's stays."""
    client.delete(path_of("tokens", name))
    click.echo(f"{name} is withdrawn")
