"""`cronclave notice`: post on boards, look at what stands there, take it down."""

from __future__ import annotations

from typing import Any

import click

from cli import output
from cli.client import Client, path_of
from cli.lazy import Group
from cli.objects import LIMIT
from cli.options import connected, consistency, formatted, namespaced, stale


@click.group("notice", cls=Group, epilog="Example: cronclave notice post stock orders")
def notice() -> None:
    """Post notices on boards, list them, take them down."""


@notice.command("post", epilog="Example: cronclave notice post stock plan_date --expires 2d")
@click.argument("board")
@click.argument("key")
@click.option("--expires", metavar="DURATION", help="How long it stays.  [default: as the board says]")
@click.option("--plan-date", metavar="DATE", help="Its plan date.  [default: that of now]")
@namespaced
@connected
def post(
    client: Client, board: str, key: str, expires: str | None, plan_date: str | None, namespace: str
) -> None:
    """Post a notice: what waits for it runs. The key plan_date stands for its plan date."""
    document: dict[str, Any] = {"key": key, "expires": expires, "plan_date": plan_date}
    made = client.post(path_of("boards", board, "notices", namespace=namespace), document)
    what = f"notice {made['serial']} {made['key']}"
    click.echo(f"{what} stands on board {namespace}/{board} until {made['expires']}")


@notice.command("list", epilog="Example: cronclave notice list stock")
@click.argument("board")
@LIMIT
@namespaced
@stale
@formatted
@connected
def list_(client: Client, board: str, limit: int, namespace: str, stale: bool, form: str) -> None:
    """What stands on a board, the newest first."""
    path = path_of("boards", board, "notices", namespace=namespace, consistency=consistency(stale))
    items, there_is_more = client.items(path, limit)
    columns = ("serial", "key", "plan_date", "posted", "expires", "poster")
    output.show(form, items, columns, lambda: [tuple(each[name] for name in columns) for each in items])
    output.more(there_is_more, len(items))


@notice.command("delete", epilog="Example: cronclave notice delete stock 17")
@click.argument("board")
@click.argument("serial", type=click.IntRange(1))
@namespaced
@connected
def delete(client: Client, board: str, serial: int, namespace: str) -> None:
    """Take a notice down: who has not heard of it never does."""
    client.delete(path_of("boards", board, "notices", str(serial), namespace=namespace))
    click.echo(f"notice {serial} is gone from board {namespace}/{board}")
