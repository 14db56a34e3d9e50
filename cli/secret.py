"""`cronclave secret`: values that tasks are given and nobody is shown."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import namespaces, secret_names
from cli.exits import CONFLICT, USAGE, Failure
from cli.lazy import Group
from cli.options import connected, consistency, formatted, stale
from cli.output import show
from cli.progress import waiting
from cli.views import views

NAMESPACE = click.option(
    "-n", "--namespace", metavar="NAME", default="default", show_default=True, shell_complete=namespaces,
    help="The secret's own.",
)  # fmt: skip
JOBS = click.option(
    "--job", "jobs", metavar="PATTERN", multiple=True,
    help="Which may use it: nightly-*, or web/deploy of another namespace. Repeat it for more.",
)  # fmt: skip
ALL_JOBS = click.option("--all-jobs", is_flag=True, help="Every job of its namespace may use it.")
LISTED_MAX = 10_000


@click.group(
    "secret", cls=Group,
    epilog="Example: cronclave secret put DB_PASSWORD --job nightly-report < password.txt",
)
def secret() -> None:
    """Put, grant, list and delete secrets. A value is never shown again."""


@secret.command("put", epilog="Example: cronclave secret put DB_PASSWORD --job 'nightly-*' < password.txt")
@click.argument("name", shell_complete=secret_names)
@NAMESPACE
@JOBS
@ALL_JOBS
@connected
def put(client: Client, name: str, namespace: str, jobs: tuple[str, ...], all_jobs: bool) -> None:
    """Give it a value: what stands on standard input, or what you type.

    A line end at the end is no part of it. Attempts that start from now on get it. Who may use it already may
    still.
    """
    document = {"value": _value(), "grants": _patterns(jobs, all_jobs)}
    path = path_of("secrets", name, namespace=namespace)
    made = client.send("PUT", path, json.dumps(document).encode())
    click.echo(f"{namespace}/{name} is at version {made['version']}; {_for(made['grants'])}")


def _value() -> str:
    if sys.stdin.isatty():
        value: str = click.prompt("value", hide_input=True, confirmation_prompt=True, err=True)
        return value
    try:
        return sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Failure("the value is no UTF-8 text", code=USAGE, hint="Binary: base64 < FILE | …") from None


def _patterns(jobs: tuple[str, ...], all_jobs: bool) -> list[str]:
    return [*jobs, *(["*"] if all_jobs else [])]


def _for(grants: list[str]) -> str:
    if not grants:
        return "no job may use it yet: cronclave secret grant"
    return f"for jobs {', '.join(grants)}"


@secret.command("grant", epilog="Example: cronclave secret grant DB_PASSWORD --job 'nightly-*'")
@click.argument("name", shell_complete=secret_names)
@NAMESPACE
@JOBS
@ALL_JOBS
@click.option("--revoke", metavar="PATTERN", multiple=True, help="Take this pattern away.")
@connected
def grant(
    client: Client, name: str, namespace: str, jobs: tuple[str, ...], all_jobs: bool, revoke: tuple[str, ...]
) -> None:
    """Say which jobs may use it. A job that may no longer fails at its next attempt, and says why."""
    document = {"add": _patterns(jobs, all_jobs), "remove": list(revoke)}
    if not (document["add"] or document["remove"]):
        raise Failure("nothing is granted or revoked", code=USAGE, hint="Give --job, --all-jobs or --revoke.")
    found = client.post(path_of("secrets", name, "grants", namespace=namespace), document)
    click.echo(f"{namespace}/{name}: {_for(found['grants'])}")


@secret.command("list", epilog="Example: cronclave secret list --namespace finance")
@click.option("-n", "--namespace", metavar="NAME", shell_complete=namespaces, help="Only this one's.")
@stale
@formatted
@connected
def list_(client: Client, namespace: str | None, stale: bool, form: str) -> None:
    """List names, and who may use them. Values are shown to nobody."""
    path = path_of("secrets", namespace=namespace, consistency=consistency(stale))
    items, _ = client.items(path, LISTED_MAX)
    show(
        form,
        items,
        ("secret", "version", "jobs", "changed", "by"),
        lambda: [
            (
                f"{item['namespace']}/{item['name']}", item["version"], ", ".join(item["grants"]) or "none",
                item["changed"], item["actor"],
            )
            for item in items
        ],
    )  # fmt: skip


@secret.command("delete", epilog="Example: cronclave secret delete DB_PASSWORD")
@click.argument("name", shell_complete=secret_names)
@NAMESPACE
@connected
def delete(client: Client, name: str, namespace: str) -> None:
    """Delete it, for good. Refused while a job or a hook names it."""
    client.delete(path_of("secrets", name, namespace=namespace))
    click.echo(f"{namespace}/{name} is deleted")


@secret.command("rotate-key", epilog="Example: cronclave secret rotate-key")
@click.option("--force", is_flag=True, help="Even if a node lacks the new key, or does not answer.")
@connected
def rotate_key(client: Client, force: bool) -> None:
    """Encrypt every secret with the first key of the nodes' key files, from now on.

    Before that: add a new key as the first line of the file on every node, and keep the old one below; nodes
    read the file again by themselves. When nothing is encrypted with the old key any more, remove it.
    """
    view = client.get(path_of("cluster"))
    new = next(iter(view["secrets"]["keys"]), None)
    if not force and new is not None:
        _need_everywhere(view, views(client, view), new)
    total = 0
    with waiting("encrypting secrets anew", far=lambda: f"{total} so far"):
        left = True
        while left:
            done = client.post(path_of("cluster", "secret-key"))
            total, left = total + done["resealed"], done["left"]
    click.echo(f"{total} secrets are encrypted anew, with the key {done['key']}")
    for old in view["secrets"]["in_use"]:
        if old != done["key"]:
            click.echo(f"nothing is encrypted with {old} any more: remove it from the nodes' key files")


def _need_everywhere(view: dict[str, Any], seen: dict[str, dict[str, Any] | None], key: str) -> None:
    """A node without the new key could give no task its secrets."""
    without = [name for name, own in seen.items() if own is None or key not in own["secrets"]["keys"]]
    if without:
        raise Failure(
            f"{', '.join(sorted(without))}: no answer, or without the key {key} of {view['node']}",
            code=CONFLICT,
            hint="Give every node the same key file first. A node without the key cannot start what needs"
            " a secret.",
        )
