"""`cronclave job bulk`: the same for many jobs."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import namespaces
from cli.examples import examples
from cli.exits import Failure
from cli.options import JOB_STATES, connected, formatted
from cli.output import counted, show


@click.command(
    "bulk",
    epilog=examples(
        "cronclave job bulk pause -l team=data --dry-run  # which they are",
        "cronclave job bulk run --failing  # once more, all whose last run failed",
    ),
)
@click.argument("action", type=click.Choice(["pause", "resume", "run"]))
@click.option("-n", "--namespace", metavar="NAME", help="Of one namespace only.", shell_complete=namespaces)
@click.option("-l", "--labels", metavar="K=V,…", help="Only jobs with all these labels.")
@click.option("--state", type=JOB_STATES, help="Only in this state.")
@click.option("-q", "--query", metavar="TEXT", help="Only names that contain this.")
@click.option("--criticality", metavar="WORD,…", help="Only minor, normal, major or critical ones.")
@click.option("--failing", is_flag=True, help="Only those whose last run failed.")
@click.option("--dry-run", is_flag=True, help="Show which jobs are meant, change nothing.")
@formatted
@connected
def bulk(
    client: Client, action: str, namespace: str | None, labels: str | None, state: str | None,
    query: str | None, criticality: str | None, failing: bool, dry_run: bool, form: str,
) -> None:  # fmt: skip
    """Pause, resume or run all jobs that a filter fits, 1,000 at most.

    Each is a change of its own: what is refused of one is told, and the others go on.
    """
    given = {
        "namespace": namespace, "labels": labels, "state": state, "q": query, "criticality": criticality,
        "failing": failing or None,
    }  # fmt: skip
    wanted = {name: value for name, value in given.items() if value is not None}
    told = client.post(path_of("bulk", dry_run=dry_run), {"action": action, **wanted})
    items: list[dict[str, Any]] = told["items"]
    columns = ("namespace", "job", "done", "run", "why not")
    rows = [(i["namespace"], i["job"], i["done"], i.get("run"), i.get("detail")) for i in items]
    show(form, told, columns, lambda: rows)
    if told["more"]:
        click.echo(f"… more than these {len(items)} are meant: send it again for the others", err=True)
    refused = [item for item in items if not item["done"]]
    if refused and not dry_run:
        raise Failure(f"{len(refused)} of {counted(len(items), 'job was', 'jobs were')} refused")
