"""`cronclave audit`: who changed what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from cli.client import Client, path_of
from cli.examples import examples
from cli.exporting import exported
from cli.instants import milliseconds, rfc3339
from cli.lazy import Group
from cli.options import INSTANT, connected, consistency, formatted, stale
from cli.output import more, show

Command = Callable[..., None]


@click.group("audit", cls=Group, epilog="Example: cronclave audit list --since -1d")
def audit() -> None:
    """See who decided what, from where, with what was there before and after."""


def filtered(command: Command) -> Command:
    for option in (
        click.option("--until", type=INSTANT, help="Before this instant."),
        click.option("--since", type=INSTANT, help="At or after this instant."),
        click.option("--run", type=click.IntRange(1), help="To this run."),
        click.option("--name", metavar="NAME", help="To the object of this name; of a run, its job's."),
        click.option("--kind", metavar="KIND", help="To such an object: job, run, token, agent…"),
        click.option("--action", metavar="ACTION", help="This, or one of several: put,delete,pause,run…"),
        click.option("--actor", metavar="TOKEN", help="By the token of this name."),
        click.option("--namespace", "-n", metavar="NAME", help="In this one.  [default: in all]"),
    ):
        command = option(command)
    return command


def _query(given: dict[str, Any]) -> dict[str, Any]:
    """The options as parameters of the path."""
    return {
        name: rfc3339(milliseconds(value)) if isinstance(value, datetime) else value
        for name, value in given.items()
    }


@audit.command(
    "list",
    epilog=examples(
        "cronclave audit list --name nightly-report -n finance",
        "cronclave audit list --actor ann --action put,delete --since -1d",
    ),
)
@filtered
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="At most.")
@stale
@formatted
@connected
def list_(client: Client, limit: int, stale: bool, form: str, **given: Any) -> None:
    """List decisions, the latest first."""
    items, there_is_more = client.items(
        path_of("audit", consistency=consistency(stale), **_query(given)), limit
    )
    show(
        form,
        items,
        ("at", "actor", "address", "action", "kind", "namespace", "name", "run", "before", "after", "reason"),
        lambda: [
            (
                i["at"], i["actor"], i["address"], i["action"], i["kind"], i["namespace"], i["name"],
                i["run"], i["before"], i["after"], i["reason"],
            )
            for i in items
        ],
    )  # fmt: skip
    more(there_is_more, len(items))


@audit.command(
    "export",
    epilog=examples("cronclave audit export", "cronclave audit export --after 1871 --action put,delete"),
)
@filtered
@click.option("--after", type=click.IntRange(0), default=0, show_default=True, help="Behind this number.")
@connected
def export(client: Client, after: int, **given: Any) -> None:
    """Print entries as lines of JSON, the oldest first. To go on later, give the last number: there is no gap
    between numbers."""
    for line in exported(client, "audit", "number", after, **_query(given)):
        click.echo(line)
