"""`cronclave expectation`: what jobs were expected to do and did not, and who has seen it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import job_names, namespaces
from cli.examples import examples
from cli.instants import milliseconds, rfc3339
from cli.lazy import Group
from cli.options import INSTANT, connected, consistency, formatted, stale
from cli.output import more, show

WORDS = ("late_start", "at_risk", "late_end", "short", "long", "stalled", "too_few")
COLUMNS = ("id", "job", "run", "what", "why", "since", "over", "acknowledged")


@click.group("expectation", cls=Group, epilog="Example: cronclave expectation list")
def expectation() -> None:
    """What jobs were expected to do, and did not."""


@expectation.command(
    "list",
    epilog=examples(
        "cronclave expectation list  # what does not hold now",
        "cronclave expectation list --job nightly-report --state all",
        "cronclave expectation list --what late_end -n finance -o json",
    ),
)
@click.option("-n", "--namespace", metavar="NAME", help="Of one namespace only.", shell_complete=namespaces)
@click.option("--job", metavar="NAME", help="Of this job.", shell_complete=job_names)
@click.option("--run", "run_id", type=click.IntRange(1), metavar="RUN", help="Of this run.")
@click.option("--what", type=click.Choice(WORDS), help="This alone.")
@click.option(
    "--state", type=click.Choice(["unmet", "over", "all"]), default="unmet", show_default=True,
    help="What does not hold now, what did not and does again, or both.",
)  # fmt: skip
@click.option("--unacknowledged", is_flag=True, help="Those alone that nobody has acknowledged.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most.")
@stale
@formatted
@connected
def list_(
    client: Client, namespace: str | None, job: str | None, run_id: int | None, what: str | None, state: str,
    unacknowledged: bool, limit: int, stale: bool, form: str,
) -> None:  # fmt: skip
    """List what is expected and does not hold, newest first."""
    path = path_of(
        "expectations", namespace=namespace, job=job, run=run_id, what=what, state=state,
        acknowledged="false" if unacknowledged else None, consistency=consistency(stale),
    )  # fmt: skip
    items, there_is_more = client.items(path, limit)
    show(form, items, COLUMNS, lambda: [_row(item) for item in items])
    more(there_is_more, len(items))


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    seen = item["acknowledged"]
    return (
        item["id"], f"{item['namespace']}/{item['job']}", item["run"], item["what"], item["said"], item["at"],
        item["over"], acknowledged_words(seen) if seen else None,
    )  # fmt: skip


def acknowledged_words(seen: dict[str, Any]) -> str:
    why = f": {seen['reason']}" if seen["reason"] else ""
    return f"by {seen['by'] or 'somebody'} until {seen['until']}{why}"


def unmet_words(item: dict[str, Any]) -> str:
    """Of one that is told beside its run."""
    over = f" (until {item['over']})" if item["over"] and item["over"] != item["at"] else ""
    seen = f"; acknowledged {acknowledged_words(item['acknowledged'])}" if item["acknowledged"] else ""
    return f"{item['what']}: {item['said']}{over}{seen}"


@expectation.command(
    "acknowledge", epilog="Example: cronclave expectation acknowledge 17 --until +4h --reason 'disk is full'"
)
@click.argument("number", metavar="ID", type=click.IntRange(1))
@click.option("--until", type=INSTANT, required=True, help="Until when nobody needs to be told of it again.")
@click.option("--reason", metavar="TEXT", help="Why: it is shown with it, and in the audit.")
@connected
def acknowledge(client: Client, number: int, until: datetime, reason: str | None) -> None:
    """Say that you have seen it: until then nobody is told of the same of that job again.

    It is listed all the same, with your name. What has an acknowledgement gets this one.
    """
    body = {"until": rfc3339(milliseconds(until)), **({"reason": reason} if reason else {})}
    found = client.post(path_of("expectations", str(number), "acknowledge"), body)
    seen = acknowledged_words(found["acknowledged"])
    click.echo(f"{found['what']} of {found['namespace']}/{found['job']} is acknowledged {seen}")
