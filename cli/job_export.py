"""`cronclave job export`: jobs, written for another scheduler."""

from __future__ import annotations

import click

from cli.client import Client, path_of
from cli.completing import job_names
from cli.examples import examples
from cli.exits import USAGE, Failure
from cli.options import connected, namespaced
from cli.output import counted, printable

JOBS_MAX = 10_000


@click.command(
    "export",
    epilog=examples(
        "cronclave job export nightly-report --as crontab",
        "cronclave job export --as kubernetes -l team=data --image registry.example.org/jobs:1",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]…", shell_complete=job_names)
@click.option(
    "--as", "format_", type=click.Choice(["crontab", "kubernetes"]), required=True, help="For whom."
)
@click.option("-l", "--labels", metavar="K=V,…", help="Without names: all jobs with these labels.")
@click.option("--tz", metavar="ZONE", help="Zone of the crontab's host.  [default: that of the jobs]")
@click.option("--image", metavar="IMAGE", help="Of containers, for commands that name none.")
@namespaced
@connected
def job_export(
    client: Client, names: tuple[str, ...], format_: str, labels: str | None, tz: str | None,
    image: str | None, namespace: str,
) -> None:  # fmt: skip
    """Write jobs for another scheduler, due at the same instants there.

    Where one cannot be said there, the reason is told, and nothing is written. What is lost beside the
    instants and the command is a note.
    """
    from cli.exports import FORMATS
    from cli.exports.plain import Wanted
    from scheduler.model.server_facts import definition_of

    if names and labels:
        raise Failure("names or --labels, not both", code=USAGE)
    if names:
        found = [client.get(path_of("jobs", name, namespace=namespace)) for name in names]
    else:
        found, _ = client.items(path_of("jobs", namespace=namespace, labels=labels), JOBS_MAX)
    jobs = [definition_of(job) for job in found]
    if not jobs:
        raise Failure("there are no such jobs")
    text, notes, refused = FORMATS[format_](jobs, Wanted(tz or "", image or ""))
    if refused:
        raise Failure(
            f"{counted(len(refused), 'job')} cannot be said as {format_}",
            details=[f"{namespace}/{name}: {why}" for name, why in refused.items()],
            hint="Name the others, or change these.",
        )
    for name, told in notes.items():
        for note in told:
            click.echo(f"{namespace}/{name}: note: {printable(note)}", err=True)
    click.echo(text, nl=False)
