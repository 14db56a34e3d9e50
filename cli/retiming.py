"""`cronclave cluster retime`: newer time zone data comes into force, and who moves by it."""

from __future__ import annotations

import sys
from typing import Any

import click

from cli.client import Client, path_of
from cli.options import connected, formatted
from cli.output import show, table


@click.command("retime", epilog="Example: cronclave cluster retime --dry-run")
@click.option("--to", "version", metavar="VERSION", help="Only if the node has this one, as 2026f.")
@click.option("--dry-run", is_flag=True, help="Say which ticks it would move, and to when.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@formatted
@connected
def retime(client: Client, form: str, version: str | None, dry_run: bool, yes: bool) -> None:
    """Bring newer time zone data into force: that which the answering node has installed.

    Until then every node goes by the zone data in force, whatever it has installed. Ticks that were due
    stay as they were; later ones of zones that moved are due by the new rules.
    """
    document = {} if version is None else {"tzdata": version}
    plan = client.post(path_of("cluster", "retime", dry_run="true"), document)
    if not dry_run and plan["zones"] and not yes and sys.stdin.isatty():
        _print_moves(plan)
        click.confirm(f"Bring {plan['tzdata']} into force?", abort=True)
    if not dry_run and "dry_run" in plan:
        plan = client.post(path_of("cluster", "retime"), {"tzdata": plan["tzdata"]})
    if form != "table":
        show(form, plan, (), list)
    elif dry_run and "dry_run" in plan:
        _print_moves(plan)
        click.echo("nothing was changed")
    elif not plan["changed"]:
        click.echo(f"zone data {plan['tzdata']} is in force")
    else:
        said = "" if plan["live"] else "; triggers take it over meanwhile"
        click.echo(f"zone data {plan['tzdata']} is in force, {plan['before']} was before{said}")


def _print_moves(plan: dict[str, Any]) -> None:
    """Who moves, and to when."""
    zones = plan["zones"]
    shown = ", ".join(zones[:20]) + (f" and {len(zones) - 20} more" if len(zones) > 20 else "")
    click.echo(f"{plan['before']} → {plan['tzdata']}: other clocks in {shown or 'no zone'}")
    columns = ("namespace", "job", "trigger", "zone", "moves", "from", "to")
    rows = [
        (
            move["namespace"], move["job"], move["trigger"], move["zone"],
            max(move["gone_count"], move["come_count"]), next(iter(move["gone"]), None),
            next(iter(move["come"]), None),
        )
        for move in plan["moves"]
    ]  # fmt: skip
    if rows:
        table(columns, rows)
    else:
        click.echo("no tick of the next 400 days moves")
    if plan["moves_cut"]:
        click.echo("and more: only the first 200 triggers were looked at")
    if plan["plans"]:
        click.echo(f"plan dates move in {', '.join(plan['plans'])}")
