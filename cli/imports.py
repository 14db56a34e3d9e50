"""`cronclave import`: jobs of other systems."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.client import connect
from cli.exits import FAILED, USAGE, Failure
from cli.options import namespaced
from cli.output import printable
from cli.terminal import escaped_json


@click.group("import", epilog="Example: crontab -l | cronclave import crontab -")
def imports() -> None:
    """Take jobs over from other systems."""


@imports.command(
    "crontab", epilog="Example: cronclave import crontab /etc/crontab --tz Europe/Berlin --apply"
)
@click.argument("file", metavar="FILE|-")
@click.option("--apply", "do_apply", is_flag=True, help="Create or change the jobs in the cluster.")
@click.option("--dry-run", is_flag=True, help="Ask the cluster what --apply would change.")
@click.option("--tz", default="UTC", show_default=True, metavar="ZONE", help="Zone of the host's cron.")
@click.option(
    "--user-column/--no-user-column",
    default=None,
    help="The sixth word is a user, as in /etc/crontab.  [default: found out]",
)
@click.option("--pool", metavar="NAME", help="Agents of this pool run them.  [default: default]")
@click.option("--strict", is_flag=True, help="Exit code 1 where a line cannot be taken.")
@click.option(
    "-o", "--output", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True,
    help="How to print the jobs.",
)  # fmt: skip
@namespaced
@click.option("--url", metavar="URL", help="Node to talk to.  [env: CRONCLAVE_URL]")
@click.option("--token", metavar="TOKEN", help="Bearer token.  [env: CRONCLAVE_TOKEN]")
def crontab(
    file: str, do_apply: bool, dry_run: bool, tz: str, user_column: bool | None, pool: str | None, strict:
    bool, form: str, namespace: str, url: str | None, token: str | None,
) -> None:  # fmt: skip
    """Turn a crontab into jobs that fire at the same instants.

    Prints them as a file for `job apply`, or applies them at once. What cannot be taken is told by line.
    """
    from cli.crontab import parse_crontab

    try:
        text = (
            sys.stdin.read()
            if file == "-"
            else Path(file).read_text(encoding="utf-8", errors="surrogateescape")
        )
        name = "crontab" if file == "-" else file
        found = parse_crontab(text, user_column=user_column, filename=name, tz=tz)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", code=USAGE) from None
    except ValueError as error:
        raise Failure(str(error), code=USAGE) from None
    remarks = [(r.line, "not taken", r) for r in found.problems] + [(r.line, "note", r) for r in found.notes]
    for line, kind, remark in sorted(remarks, key=lambda told: told[:2]):
        click.echo(f"{name}:{line}: {kind}: {remark.reason}: {printable(remark.text)}", err=True)
    jobs = [dict(job) for job in found.jobs]
    for job in jobs:
        if namespace != "default":
            job["namespace"] = namespace
        if pool:
            job["on"] = {**job.get("on", {}), "pool": pool}
    if do_apply or dry_run:
        from cli import files

        if jobs:
            diff = files.apply(
                connect(url, token),
                jobs,
                namespace=namespace,
                dry_run=dry_run,
                source=f"crontab {name}"[:500],
            )
            files.show_diff(diff, dry_run=dry_run)
    elif form == "json":
        import json

        click.echo(escaped_json(json.dumps(jobs, indent=2, ensure_ascii=False)))
    elif jobs:
        from scheduler.model.documents import dump_yaml

        click.echo(dump_yaml(jobs), nl=False)
    summary = f"{_count(len(jobs), 'job')}, {_count(len(found.problems), 'line')} not taken"
    click.echo(summary, err=True)
    if jobs and not (do_apply or dry_run) and sys.stderr.isatty():
        click.echo(
            "nothing was sent: --dry-run compares them with the cluster, --apply creates them", err=True
        )
    if strict and found.problems:
        raise Failure(summary, code=FAILED)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
