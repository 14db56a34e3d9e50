"""`cronclave source`: what of a folder, a repository or a bucket is live, and what of it is otherwise."""

from __future__ import annotations

import time
from typing import Any

import click

from cli import output
from cli.client import Client, path_of
from cli.examples import examples
from cli.exits import FAILED, TIMED_OUT, Failure
from cli.objects import GROUPS
from cli.options import SPAN, connected, consistency, formatted, namespaced, stale

LOOK_S = 0.3
COUNTS = ("created", "changed", "deleted")
WORDS = {"created": "+", "changed": "~", "deleted": "-", "otherwise": "~", "gone": "-", "left over": "+"}
FACTS = ("namespace", "name", "from", "state", "revision", "live_at", "documents", "since", "detail")

source = GROUPS["source"]
source.help = "Look at sources, take what they say, change and delete them."


@source.command("show", epilog="Example: cronclave source show prd")
@click.argument("name")
@namespaced
@stale
@formatted
@connected
def show(client: Client, name: str, namespace: str, stale: bool, form: str) -> None:
    """What of a source is live, since when, what stands in its way, and what is not as it says."""
    _tell(client.get(_path(name, namespace, consistency(stale))), form)


@source.command(
    "sync", epilog=examples("cronclave source sync prd", "cronclave source sync prd --prune-max 300")
)
@click.argument("name")
@click.option("--prune-max", type=click.IntRange(0), help="So much of what it owns may go, this once.")
@click.option("--timeout", type=SPAN, default="5m", show_default=True, help="How long to wait.")
@namespaced
@formatted
@connected
def sync(
    client: Client, name: str, prune_max: int | None, timeout: float, namespace: str, form: str
) -> None:
    """Have it looked at now, and what it says go live; wait until that is done."""
    asked = {} if prune_max is None else {"prune_max": prune_max}
    told = _asked(client, name, namespace, timeout, asked, dry_run=False)
    _tell(told, form)
    if told["state"] in ("refused", "unreachable"):
        raise SystemExit(FAILED)


@source.command("diff", epilog="Example: cronclave source diff prd")
@click.argument("name")
@click.option("--timeout", type=SPAN, default="5m", show_default=True, help="How long to wait.")
@namespaced
@formatted
@connected
def diff(client: Client, name: str, timeout: float, namespace: str, form: str) -> None:
    """What would change if what it says went live now. Nothing does."""
    told = _asked(client, name, namespace, timeout, {}, dry_run=True)
    if form == "table" and told["state"] not in ("refused", "unreachable") and not told["drifted"]:
        click.echo(f"nothing would change: {namespace}/{name} is live as it is")
        return
    _tell(told, form)
    if told["state"] in ("refused", "unreachable"):
        raise SystemExit(FAILED)


def _path(name: str, namespace: str, fresh: str | None = None) -> str:
    return path_of("sources", name, "state", namespace=namespace, consistency=fresh)


def _asked(
    client: Client, name: str, namespace: str, timeout: float, body: dict[str, Any], *, dry_run: bool
) -> dict[str, Any]:
    until_s = time.monotonic() + timeout
    path = path_of("sources", name, "sync", namespace=namespace, dry_run=dry_run or None)
    told: dict[str, Any] = client.post(path, body)
    number = told["asked"]
    while told["answered"] < number:
        if time.monotonic() >= until_s:
            raise Failure(
                f"nobody has looked at {namespace}/{name} within {timeout:g} s", code=TIMED_OUT,
                hint=f"It goes on: cronclave source show {name} -n {namespace}",
            )  # fmt: skip
        time.sleep(LOOK_S)
        told = client.get(_path(name, namespace))
    return told


def _tell(told: dict[str, Any], form: str) -> None:
    if form != "table":
        output.show(form, told, (), list)
        return
    rows = [(field, told[field]) for field in FACTS if told[field] is not None]
    rows.append(("last change", ", ".join(f"{told[word]} {word}" for word in COUNTS)))
    output.show(form, told, ("field", "value"), lambda: rows)
    for problem in told["problems"]:
        click.echo(click.style(f"! {problem}", fg="red"))
    for each in told["drift"]:
        what = f"{each['kind']} {each['namespace']}/{each['name']}"
        click.echo(f"{WORDS[each['change']]} {what}  {each['change']}")
    if (more := told["drifted"] - len(told["drift"])) > 0:
        click.echo(f"… and {more} more")
