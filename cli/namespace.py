"""`cronclave namespace`: who answers for one, and what its jobs may have."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import namespaces
from cli.examples import examples
from cli.exits import USAGE, Failure
from cli.lazy import Group
from cli.options import FILE_OR_FOLDER, connected, consistency, formatted, stale
from cli.output import show

LISTED_MAX = 10_000
FOLLOW_TOLD_MAX = 20
TRIED_MAX = 1_000


@click.group("namespace", cls=Group, epilog="Example: cronclave namespace list")
def namespace() -> None:
    """Declare namespaces: owner, quotas, pools. One without a declaration lets its jobs have everything."""


@namespace.command(
    "apply",
    epilog=examples("cronclave namespace apply finance.yaml", "cronclave namespace apply - --dry-run"),
)
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR|-…", type=FILE_OR_FOLDER)
@click.option("--dry-run", is_flag=True, help="Show what would change, change nothing.")
@connected
def apply(client: Client, paths: tuple[str, ...], dry_run: bool) -> None:
    """Declare the namespaces of YAML or JSON files, one after the other: `namespace: NAME` says which."""
    from cli import files

    documents = files.read_documents(paths)
    for document in documents:
        name = document.data.get("namespace") if isinstance(document.data, dict) else None
        if not isinstance(name, str) or not name:
            raise Failure(f"{document.where('')}: the document has no `namespace: NAME`", code=USAGE)
    for document in documents:
        name = str(document.data["namespace"])
        trial = client.put(path_of("namespaces", name, dry_run="true"), document.data)
        would = "" if trial["change"] == "unchanged" or not dry_run else "would be "
        click.echo(f"{would}{trial['change']} {name}")
        if trial["follow"]:
            shown = ", ".join(trial["follow"][:FOLLOW_TOLD_MAX])
            more = len(trial["follow"]) - FOLLOW_TOLD_MAX
            also = f" and {more} more" if more > 0 else ""
            click.echo(f"  jobs that follow other defaults: {shown}{also}")
        if trial["follow_more"]:
            click.echo(f"  all of its jobs follow; {TRIED_MAX} of them were looked at")
        if trial["closes_through"]:
            click.echo(f"  plan dates up to {trial['closes_through']} close at once, by auto_close")
        if trial["outside"]:
            told = ", ".join(trial["outside"])
            click.echo(f"  jobs that use other pools or users, until they are put anew: {told}")
        if not dry_run and trial["change"] != "unchanged":
            client.put(path_of("namespaces", name), document.data)


@namespace.command("list", epilog="Example: cronclave namespace list")
@stale
@formatted
@connected
def list_(client: Client, stale: bool, form: str) -> None:
    """List those that were declared and those that jobs name."""
    items = client.items(path_of("namespaces", consistency=consistency(stale)), LISTED_MAX)[0]
    show(
        form, items, ("namespace", "jobs", "of", "runs", "of", "waiting", "owner", "pools", "revision"),
        lambda: [
            (
                item["namespace"], item["jobs"], item["quotas"].get("jobs"), item["active_runs"],
                item["quotas"].get("active_runs"), item["waiting_runs"], item["owner"],
                ", ".join(item["pools"]), item["revision"] or "-",
            )
            for item in items
        ],
    )  # fmt: skip


@namespace.command("get", epilog="Example: cronclave namespace get finance -o yaml")
@click.argument("name", shell_complete=namespaces)
@stale
@formatted
@connected
def get(client: Client, name: str, stale: bool, form: str) -> None:
    """Show what was said of a namespace, and how many jobs it has."""
    found = client.get(path_of("namespaces", name, consistency=consistency(stale)))
    show(form, found, ("", ""), lambda: [(key, _text(value)) for key, value in found.items()])


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


@namespace.command("delete", epilog="Example: cronclave namespace delete finance")
@click.argument("name", shell_complete=namespaces)
@connected
def delete(client: Client, name: str) -> None:
    """Take back what was said of a namespace. One that has jobs or objects stays."""
    client.delete(path_of("namespaces", name))
    click.echo(f"{name} is declared no more")


@namespace.command("history", epilog="Example: cronclave namespace history finance")
@click.argument("name", shell_complete=namespaces)
@stale
@formatted
@connected
def history(client: Client, name: str, stale: bool, form: str) -> None:
    """List the revisions of what was said of a namespace, newest first."""
    items = client.items(
        path_of("namespaces", name, "revisions", consistency=consistency(stale)), LISTED_MAX
    )[0]
    show(
        form, items, ("revision", "changed", "actor", ""),
        lambda: [
            (item["revision"], item["changed"], item["actor"], "deleted" if item["deleted"] else "")
            for item in items
        ],
    )  # fmt: skip
