"""`cronclave import FORMAT`: the command of each format in the list."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.client import Client
from cli.examples import examples
from cli.exits import FAILED, USAGE, Failure
from cli.importing.formats import FORMATS, Format
from cli.options import FILE_OR_FOLDER, namespaced, reaching
from cli.output import printable

if TYPE_CHECKING:
    from cli.importing.found import Found, Job, Source

FILES_MAX = 10_000
BYTES_MAX = 32 << 20


def command_of(name: str, kind: Format) -> click.Command:
    """The command that imports this format."""

    def imported(
        reach: Callable[[], Client], files: tuple[str, ...], do_apply: bool, dry_run: bool, into: str | None,
        source: str | None, prune: bool, tz: str | None, pool: str | None, strict: bool, form: str,
        namespace: str,
    ) -> None:  # fmt: skip
        from cli.importing.handing import Handed, hand_on, source_of

        label = source_of(
            source, files[0] if files[0] != "-" else name, prune=prune, sends=do_apply or dry_run
        )
        found = _read(name, kind, files, tz, pool)
        said = remarks(found, files[0])
        for text in said:
            click.echo(text, err=True)
        jobs = [_placed(job, name, label, namespace, pool) for job in found.jobs]
        hand_on(
            reach, jobs, Handed(name, label, namespace, len(found.problems), named=source is not None),
            do_apply=do_apply, dry_run=dry_run, prune=prune, into=into, form=form, strict=strict,
        )  # fmt: skip

    imported.__doc__ = f"""{kind.what}

    Prints jobs that are due at the same instants, as a file for `job apply`, or applies them at once. What of
    the files is not taken over is told by line, and why.
    """
    shown = examples(
        f"cronclave import {name} {kind.files}  # see what it would become, and what not",
        f"cronclave import {name} {kind.files} --into jobs/  # a file for each job",
        f"cronclave import {name} {kind.files} --apply",
    )
    function = _options(imported)
    return click.command(name, epilog=shown)(function)


def _options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.argument("files", nargs=-1, required=True, metavar="FILE|DIR|-…", type=FILE_OR_FOLDER),
            click.option("--apply", "do_apply", is_flag=True, help="Create or change the jobs."),
            click.option("--dry-run", is_flag=True, help="Ask the cluster what --apply would change."),
            click.option(
                "--into", metavar="DIR", help="Write each job into a file of this new or empty folder."
            ),
            click.option(
                "--source", metavar="NAME",
                help="Name of where they come from, a label by which they are known again.  [default: FILE]",
            ),
            click.option("--prune", is_flag=True, help="Delete jobs of this source that the files lack."),
            click.option("--tz", metavar="ZONE", help="Zone of times that say none.  [default: UTC]"),
            click.option("--pool", metavar="NAME", help="Agents of this pool run them.  [default: default]"),
            click.option(
                "--strict", is_flag=True,
                help="Where something cannot be taken, send and write nothing; exit code 1.",
            ),
            click.option(
                "-o", "--output", "form", type=click.Choice(["yaml", "json"]), default="yaml",
                show_default=True, help="How to print the jobs.",
            ),
            namespaced,
            reaching,
        )
    ):  # fmt: skip
        function = option(function)
    return function


def remarks(found: Found, file: str) -> list[str]:
    """What is to be said, in the order of the lines."""
    told = [(r.file or file, r.line, "not taken", r) for r in found.problems]
    told += [(r.file or file, r.line, "note", r) for r in found.notes]
    said = []
    for where, line, kind, remark in sorted(told, key=lambda each: each[:3]):
        place = f"{where}:{line}" if line else where
        said.append(
            f"{place}: {kind}: {remark.reason}" + (f": {printable(remark.text)}" if remark.text else "")
        )
    return said


def _placed(job: Job, name: str, label: str, namespace: str, pool: str | None) -> Job:
    """With the labels by which it is known again, in the user's namespace and pool."""
    labels = {"source": name, name: label, **job.get("labels", {})}
    placed: Job = {"job": job["job"]}
    if namespace != "default":
        placed["namespace"] = namespace
    if "description" in job:
        placed["description"] = job["description"]
    placed["labels"] = labels
    placed |= {key: value for key, value in job.items() if key not in ("labels", "description")}
    if pool:
        for task in placed["tasks"].values() if "tasks" in placed else [placed]:
            if "job" not in task or task is placed:
                task["on"] = {**task.get("on", {}), "pool": pool}
    return placed


def _read(name: str, kind: Format, files: tuple[str, ...], tz: str | None, pool: str | None) -> Found:
    """Raises Failure where a file cannot be read, or is none of this format."""
    from cli.importing.found import UnreadableError, Wishes
    from cli.importing.reading import read
    from scheduler.ticks import UnknownZoneError, zone

    if tz is not None:
        try:
            zone(tz)
        except UnknownZoneError as error:
            raise Failure(str(error), code=USAGE) from None
    sources = [source for file in files for source in _sources(file, kind)]
    if not sources:
        what = f"Of a folder only files are read that end with {kind.in_folder}." if kind.in_folder else ""
        raise Failure(f"no files in {', '.join(files)}", hint=what, code=USAGE)
    try:
        return read(name, sources, Wishes(tz or "UTC", tz is not None, pool or "default"))
    except UnreadableError as error:
        raise Failure(str(error), hint=error.hint, code=FAILED) from None


def _sources(file: str, kind: Format) -> Iterator[Source]:
    from cli.importing.found import Source

    for path in _paths(file, kind):
        name = "(stdin)" if path == "-" else path
        try:
            data = sys.stdin.buffer.read(BYTES_MAX + 1) if path == "-" else Path(path).read_bytes()
        except OSError as error:
            raise Failure(f"{name} cannot be read: {error.strerror}", code=USAGE) from None
        if len(data) > BYTES_MAX:
            raise Failure(f"{name} is larger than {BYTES_MAX >> 20} MiB", code=USAGE)
        if kind.in_folder == "*":
            yield Source(name, "")  # a script: its name alone counts
            continue
        try:
            yield Source(name, StringIO(data.decode("utf-8-sig"), newline=None).read())
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            what = f"the byte 0x{data[error.start]:02X} is no UTF-8: convert the file"
            raise Failure(f"{name}:{line}: {what}", code=FAILED) from None


def _paths(file: str, kind: Format) -> list[str]:
    if file == "-" or not os.path.isdir(file):
        return [file]
    if not kind.in_folder:
        raise Failure(f"{file} is a folder", hint="Name the file.", code=USAGE)
    found = []
    for folder, folders, names in os.walk(file):
        folders.sort()
        for each in sorted(names):
            if kind.in_folder == "*" or each.endswith(tuple(kind.in_folder.split())):
                found.append(os.path.join(folder, each))
        if len(found) > FILES_MAX:
            raise Failure(f"{file} holds more than {FILES_MAX:,} files", code=USAGE)
    return found


def commands() -> dict[str, click.Command]:
    return {name: command_of(name, kind) for name, kind in FORMATS.items()}
