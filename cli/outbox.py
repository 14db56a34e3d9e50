"""`cronclave outbox`: what is to leave the cluster, and what could not."""

from __future__ import annotations

import click

from cli.client import Client, path_of
from cli.lazy import Group
from cli.options import connected, consistency, formatted, stale
from cli.output import more, show


@click.group("outbox", cls=Group, epilog="Example: cronclave outbox list --given-up")
def outbox() -> None:
    """Look at notices that wait to be sent or were given up."""


@outbox.command("list", epilog="Example: cronclave outbox list --given-up -o json")
@click.option("--given-up", is_flag=True, help="Those alone that nothing sends any more.")
@click.option("--namespace", "-n", metavar="NAME", help="Those of its jobs.  [default: of all]")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=500, show_default=True, help="At most.")
@stale
@formatted
@connected
def list_(
    client: Client, given_up: bool, namespace: str | None, limit: int, stale: bool, form: str
) -> None:
    """List what waits and what was given up, oldest first. What was sent is there no more."""
    state = "given_up" if given_up else None
    path = path_of("outbox", state=state, namespace=namespace, consistency=consistency(stale))
    items, there_is_more = client.items(path, limit)
    show(
        form,
        items,
        ("effect", "kind", "about", "job", "run", "state", "failed", "next", "target", "reason"),
        lambda: [
            (
                i["id"], i["kind"], i["about"], i["job"], i["run"], i["state"], i["attempts"], i["next"],
                i["target"], i["reason"],
            )
            for i in items
        ],
    )  # fmt: skip
    more(there_is_more, len(items))


@outbox.command("resend", epilog="Example: cronclave outbox resend 17")
@click.argument("effect", type=click.IntRange(1))
@connected
def resend(client: Client, effect: int) -> None:
    """Try it again now, also one that was given up: it has a day again."""
    found = client.post(path_of("outbox", str(effect), "resend"))
    click.echo(f"{effect} is sent to {found['target']}")


@outbox.command("drop", epilog="Example: cronclave outbox drop 17")
@click.argument("effect", type=click.IntRange(1))
@connected
def drop(client: Client, effect: int) -> None:
    """Never send it (again). A try that is under way may still arrive."""
    client.delete(path_of("outbox", str(effect)))
    click.echo(f"{effect} is dropped")
