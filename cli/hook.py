"""`cronclave hook`: as of all objects, and what came in."""

from __future__ import annotations

import click

from cli import output
from cli.client import Client, path_of
from cli.objects import GROUPS, LIMIT
from cli.options import connected, consistency, formatted, namespaced, stale

hook = GROUPS["hook"]


@hook.command(
    "deliveries", help="What came in lately, newest first, and what came of it.",
    epilog="Example: cronclave hook deliveries deploys --limit 20",
)  # fmt: skip
@click.argument("name")
@LIMIT
@namespaced
@stale
@formatted
@connected
def deliveries(client: Client, name: str, limit: int, namespace: str, stale: bool, form: str) -> None:
    path = path_of("hooks", name, "deliveries", namespace=namespace, consistency=consistency(stale))
    items, there_is_more = client.items(path, limit)
    output.show(
        form, items, ("at", "delivery", "job", "run", "outcome", "reason"),
        lambda: [
            (item["at"], item["delivery"], each["job"], each["run"], each["outcome"], each["reason"])
            for item in items
            for each in item["firings"] or [dict.fromkeys(("job", "run", "outcome", "reason"))]
        ],
    )  # fmt: skip
    output.more(there_is_more, len(items))
