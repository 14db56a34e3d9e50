"""`cronclave cluster pause` and `resume`: everything, or all jobs of a namespace."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import namespaces
from cli.instants import milliseconds, rfc3339
from cli.options import INSTANT, connected

NAMESPACE = click.option(
    "-n", "--namespace", metavar="NAME", help="Only the jobs of this namespace.  [default: everything]",
    shell_complete=namespaces,
)  # fmt: skip


def _path(namespace: str | None, act: str) -> str:
    return path_of("namespaces", namespace, act) if namespace else path_of(act)


def _what(namespace: str | None) -> str:
    return f"namespace {namespace}" if namespace else "everything"


@click.command("pause", epilog="Example: cronclave cluster pause --reason 'database move' --until +2h")
@click.option("--reason", required=True, help="Why: it is shown wherever something waits for it.")
@click.option("--until", type=INSTANT, help="When it ends by itself.  [default: by a resume alone]")
@NAMESPACE
@connected
def pause(client: Client, reason: str, until: datetime | None, namespace: str | None) -> None:
    """Let nothing new start: ticks are skipped(paused), and what waits in queues goes on waiting.

    What runs comes to its end. Runs that are asked for meanwhile are made, and wait. A pause that stands gets
    this reason and end.
    """
    document: dict[str, Any] = {"reason": reason}
    if until is not None:
        document["until"] = rfc3339(milliseconds(until))
    found = client.post(_path(namespace, "pause"), document)["pause"]
    end = f" until {found['until']}" if found and found["until"] else ""
    click.echo(f"{_what(namespace)} is paused{end}; what runs goes on")


@click.command("resume", epilog="Example: cronclave cluster resume")
@NAMESPACE
@connected
def resume(client: Client, namespace: str | None) -> None:
    """Let what waits start again. What came due meanwhile was skipped, and is not made up for."""
    client.post(_path(namespace, "resume"))
    click.echo(f"{_what(namespace)} is resumed")
    if namespace and client.get(path_of("pause"))["paused"]:
        click.echo("everything is paused all the same: cronclave cluster resume", err=True)


def lines(view: dict[str, Any]) -> list[tuple[str, object]]:
    """For `cluster status`: a pause of everything."""
    found = view.get("pause")
    if not found:
        return []
    by = f" by {found['actor']}" if found["actor"] else ""
    end = f", until {found['until']}" if found["until"] else ""
    return [("paused", f"everything, since {found['since']}{end}{by}: {found['reason']}")]
