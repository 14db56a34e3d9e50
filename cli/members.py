"""`cronclave run members`: the members of a task that is divided."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, path_of
from cli.examples import examples
from cli.hands import ID, TASK
from cli.options import connected, consistency, formatted, stale
from cli.output import more, show, table, with_warning

COLUMNS = ("member", "item", "state", "attempt", "agent", "started", "finished", "exit", "reason")
WORST = ("failed", "timed_out", "lost", "expired", "cancelled", "held", "retry_wait")
WORST_SHOWN = 10
ITEM_LETTERS_MAX = 40


def row_of(item: dict[str, Any]) -> tuple[object, ...]:
    tried = item["attempt"] or {}
    text = item["item"] if len(item["item"]) <= ITEM_LETTERS_MAX else f"{item['item'][:ITEM_LETTERS_MAX]}…"
    return (
        item["member"], text, with_warning(item), tried.get("number"), tried.get("agent"), item["started"],
        item["finished"], item["exit_code"], item["reason"],
    )  # fmt: skip


@click.command(
    "members",
    epilog=examples(
        "cronclave run members 42 rotate",
        "cronclave run members 42 rotate --state failed -o json  # those that are to be looked at",
    ),
)
@ID
@TASK
@click.option("--state", metavar="STATE", help="Only in this state, or one of several (failed,lost).")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most.")
@stale
@formatted
@connected
def members(
    client: Client, run_id: int, task: str, state: str | None, limit: int, stale: bool, form: str
) -> None:
    """List the members of a task that is divided (fanout), in their order."""
    path = path_of("runs", run_id, "tasks", task, "members", state=state, consistency=consistency(stale))
    items, there_is_more = client.items(path, limit)
    show(form, items, COLUMNS, lambda: [row_of(item) for item in items])
    more(there_is_more, len(items))


def show_worst(client: Client, found: dict[str, Any], *, stale: bool = False) -> None:
    """Of each task of this run with members that did not end well, the first of those."""
    for name, task in found["tasks"].items():
        members = task.get("members")
        is_odd = members and (members["failed"] or members["all"] - members["skipped"] > members["succeeded"])
        if not is_odd:
            continue
        path = path_of(
            "runs", found["id"], "tasks", name, "members", state=",".join(WORST),
            consistency=consistency(stale),
        )  # fmt: skip
        items, there_is_more = client.items(path, WORST_SHOWN)
        if items:
            click.echo(f"\nmembers of {name} to look at:")
            table(COLUMNS, [row_of(item) for item in items])
        if there_is_more:
            click.echo(f"and more: cronclave run members {found['id']} {name} --state {','.join(WORST)}")
