"""`cronclave import`: jobs of other systems."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.client import Client
from cli.crontab_sending import count, send
from cli.examples import examples
from cli.exits import FAILED, USAGE, Failure
from cli.lazy import Group
from cli.options import FILE_OR_FOLDER, namespaced, reaching
from cli.output import printable
from cli.terminal import escaped_json

if TYPE_CHECKING:
    from cli.crontab import CrontabImport

DIALECTS = ("debian", "cronie", "busybox", "bcron", "mcron", "systemd-cron", "supercronic")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}")


@click.group(
    "import", cls=Group, epilog="Example: crontab -l | cronclave import crontab - --source alice@db1"
)
def imports() -> None:
    """Take jobs over from other systems."""


@imports.command(
    "crontab",
    epilog=examples(
        "crontab -l | cronclave import crontab - --source alice@db1  # see what it would become",
        "crontab -l | cronclave import crontab - --source alice@db1 --dry-run  # compare with the cluster",
        "cronclave import crontab /etc/crontab --tz Europe/Berlin --apply",
    ),
)
@click.argument("file", metavar="FILE|-", type=FILE_OR_FOLDER)
@click.option("--apply", "do_apply", is_flag=True, help="Create or change the jobs in the cluster.")
@click.option("--dry-run", is_flag=True, help="Ask the cluster what --apply would change.")
@click.option(
    "--source",
    metavar="NAME",
    help="Name of this crontab, a label of its jobs, by which they are known again.  [default: FILE]",
)
@click.option("--prune", is_flag=True, help="Delete jobs of this source that left the crontab.")
@click.option("--tz", metavar="ZONE", help="Zone of the crontab's host.  [default: this host's]")
@click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    default="debian",
    show_default=True,
    help="The program that has read this crontab so far.",
)
@click.option(
    "--user-column/--no-user-column",
    default=None,
    help="The sixth word is a user, as in /etc/crontab.  [default: found out]",
)
@click.option("--pool", metavar="NAME", help="Agents of this pool run them.  [default: default]")
@click.option("--strict", is_flag=True, help="Exit code 1 where a line cannot be taken.")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="How to print the jobs.",
)
@namespaced
@reaching
def crontab(
    reach: Callable[[], Client], file: str, do_apply: bool, dry_run: bool, source: str | None, prune: bool,
    tz: str | None, dialect: str, user_column: bool | None, pool: str | None, strict: bool, form: str,
    namespace: str,
) -> None:  # fmt: skip
    """Turn a crontab into jobs that fire at the same instants.

    Prints them as a file for `job apply`, or applies them at once. What cannot be taken is told by line.
    Importing the same crontab again changes what has changed; jobs whose line is gone are named, and
    deleted with --prune.
    """
    name = "crontab" if file == "-" else file
    label = _source(source, name, prune=prune, sends=do_apply or dry_run)
    found = _read(file, name, tz, user_column=user_column, dialect=dialect, source=label)
    jobs = [dict(job) for job in found.jobs]
    for job in jobs:
        if namespace != "default":
            job["namespace"] = namespace
        if pool:
            job["on"] = {**job.get("on", {}), "pool": pool}
    if do_apply or dry_run:
        send(reach(), jobs, namespace, label, named=source is not None, dry_run=dry_run, prune=prune)
    elif form == "json":
        import json

        click.echo(escaped_json(json.dumps(jobs, indent=2, ensure_ascii=False)))
    elif jobs:
        from scheduler.model.documents import dump_yaml

        click.echo(dump_yaml(jobs), nl=False)
    summary = f"{count(len(jobs), 'job')}, {count(len(found.problems), 'line')} not taken"
    click.echo(summary, err=True)
    if jobs and not (do_apply or dry_run) and sys.stderr.isatty():
        click.echo(
            "nothing was sent: --dry-run compares them with the cluster, --apply creates them", err=True
        )
    if strict and found.problems:
        raise Failure(summary, code=FAILED)


def _source(given: str | None, file: str, *, prune: bool, sends: bool) -> str:
    """The label's value. Two hosts have a file of the same name, so pruning wants the name said."""
    if prune and not sends:
        raise Failure("--prune goes with --apply, or with --dry-run to see what it would delete", code=USAGE)
    if prune and given is None:
        raise Failure(
            "--prune needs --source NAME, the name under which this crontab was imported before",
            hint="Another host's crontab may have the same file name; --prune would delete its jobs.",
            code=USAGE,
        )
    if given is not None and not _SOURCE.fullmatch(given):
        raise Failure(
            f"--source {given[:60]!r} is no name: letters, digits, and . _ : @ / - between them, 128 at most",
            code=USAGE,
        )
    return given or re.sub(r"[^A-Za-z0-9._:@/-]+", "-", file).lstrip("-./:@_")[-128:] or "crontab"


def _read(
    file: str, name: str, tz: str | None, *, user_column: bool | None, dialect: str, source: str
) -> CrontabImport:
    """The crontab, its remarks printed. Raises Failure."""
    from cli.crontab import parse_crontab

    said = []
    if tz is None:
        tz = _zone_of_this_host()
        said.append(
            f"{name}: note: times were taken to be in {tz}, the zone of this host: --tz says otherwise"
        )
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        found = parse_crontab(
            data.decode("utf-8", "surrogateescape"),
            user_column=user_column, filename=name, tz=tz, dialect=dialect, source=source,
        )  # fmt: skip
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", code=USAGE) from None
    except ValueError as error:
        raise Failure(str(error), code=USAGE) from None
    remarks = [(r.line, "not taken", r) for r in found.problems] + [(r.line, "note", r) for r in found.notes]
    for line, kind, remark in sorted(remarks, key=lambda told: told[:2]):
        where = f"{name}:{line}" if line else name
        said.append(f"{where}: {kind}: {remark.reason}" + (f": {printable(remark.text)}" if line else ""))
    for text in said:
        click.echo(text, err=True)
    return found


def _zone_of_this_host() -> str:
    import tzlocal

    try:
        return str(tzlocal.get_localzone_name())
    except (LookupError, ValueError, OSError):
        raise Failure("the zone of this host is not known", hint="Say it with --tz.", code=USAGE) from None
