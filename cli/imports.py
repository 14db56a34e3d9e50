"""`cronclave import`: jobs of other systems."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.client import Client
from cli.examples import examples
from cli.exits import USAGE, Failure
from cli.importing.commands import commands, remarks
from cli.importing.handing import Handed, hand_on, source_of
from cli.lazy import Group
from cli.options import FILE_OR_FOLDER, namespaced, reaching

if TYPE_CHECKING:
    from cli.importing.formats.crontab import CrontabImport

DIALECTS = ("debian", "cronie", "busybox", "bcron", "mcron", "systemd-cron", "supercronic")


@click.group(
    "import", cls=Group, epilog="Example: crontab -l | cronclave import crontab - --source alice@db1"
)
def imports() -> None:
    """Take jobs over from other systems, with the instants at which they were due there."""


for _command in commands().values():
    imports.add_command(_command)


@imports.command(
    "crontab",
    epilog=examples(
        "crontab -l | cronclave import crontab - --source alice@db1  # see what it would become",
        "crontab -l | cronclave import crontab - --source alice@db1 --dry-run  # compare with the cluster",
        "cronclave import crontab /etc/crontab --tz Europe/Berlin --apply",
        "cronclave import crontab /etc/cron.d --source cron.d@db1",
    ),
)
@click.argument("file", metavar="FILE|DIR|-", type=FILE_OR_FOLDER)
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
@click.option("--into", metavar="DIR", help="Write each job into a file of this new or empty folder.")
@click.option(
    "--strict", is_flag=True, help="Where a line cannot be taken, send and write nothing; exit code 1."
)
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
    tz: str | None, dialect: str, user_column: bool | None, pool: str | None, into: str | None, strict: bool,
    form: str, namespace: str,
) -> None:  # fmt: skip
    """Turn a crontab into jobs that fire at the same instants.

    Prints them as a file for `job apply`, or applies them at once. What cannot be taken is told by line.
    Importing the same crontab again changes what has changed; jobs whose line is gone are named, and
    deleted with --prune.
    """
    name = "crontab" if file == "-" else file
    label = source_of(source, name, prune=prune, sends=do_apply or dry_run)
    found = _read(file, name, tz, user_column=user_column, dialect=dialect, source=label)
    jobs = [dict(job) for job in found.jobs]
    for job in jobs:
        if namespace != "default":
            job["namespace"] = namespace
        if pool:
            job["on"] = {**job.get("on", {}), "pool": pool}
    hand_on(
        reach, jobs,
        Handed("crontab", label, namespace, len(found.problems), named=source is not None, unit="line"),
        do_apply=do_apply, dry_run=dry_run, prune=prune, into=into, form=form, strict=strict,
    )  # fmt: skip


def _read(
    file: str, name: str, tz: str | None, *, user_column: bool | None, dialect: str, source: str
) -> CrontabImport:
    """The crontab, its remarks printed. Raises Failure."""
    from cli.importing.formats.crontab import parse_crontab, parse_folder

    said = []
    if tz is None:
        tz = _zone_of_this_host()
        said.append(
            f"{name}: note: times were taken to be in {tz}, the zone of this host: --tz says otherwise"
        )
    try:
        told: dict[str, Any] = {"user_column": user_column, "tz": tz, "dialect": dialect, "source": source}
        if file != "-" and Path(file).is_dir():
            inside = [each for each in Path(file).iterdir() if each.is_file()]
            texts = {str(each): _decoded(each.read_bytes()) for each in inside}
            found = parse_folder(texts, **told)
        else:
            data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
            found = parse_crontab(_decoded(data), filename=name, **told)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", code=USAGE) from None
    except ValueError as error:
        raise Failure(str(error), code=USAGE) from None
    said += remarks(found, name)
    for text in said:
        click.echo(text, err=True)
    return found


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _zone_of_this_host() -> str:
    import tzlocal

    try:
        return str(tzlocal.get_localzone_name())
    except (LookupError, ValueError, OSError):
        raise Failure("the zone of this host is not known", hint="Say it with --tz.", code=USAGE) from None
