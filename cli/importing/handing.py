"""What becomes of imported jobs: printed, written into files, compared with the cluster, applied.

Rules: nothing is half applied or half written. With `strict` nothing goes anywhere where something was not
taken.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from cli.client import Client
from cli.exits import FAILED, USAGE, Failure
from cli.importing.sending import send
from cli.output import counted
from cli.terminal import escaped_json

if TYPE_CHECKING:
    from cli.importing.found import Job

_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}")


class Handed(NamedTuple):
    kind: str  #: the format
    source: str  #: the label's value
    namespace: str
    not_taken: int
    named: bool  #: the user said which source it is
    unit: str = "item"  #: what was not taken


def hand_on(
    reach: Callable[[], Client],
    jobs: Sequence[Job],
    told: Handed,
    *,
    do_apply: bool,
    dry_run: bool,
    prune: bool,
    into: str | None,
    form: str,
    strict: bool,
) -> None:
    """Raises Failure."""
    summary = f"{counted(len(jobs), 'job')}, {counted(told.not_taken, told.unit)} not taken"
    if into is not None and (do_apply or dry_run):
        raise Failure(
            "--into writes files, --apply and --dry-run ask the cluster: give one of them", code=USAGE
        )
    if strict and told.not_taken:
        raise Failure(summary, code=FAILED, hint="Without --strict what was taken is handed on.")
    if into is not None:
        _write(jobs, into)
    elif do_apply or dry_run:
        send(
            reach(),
            jobs,
            told.namespace,
            told.source,
            kind=told.kind,
            named=told.named,
            dry_run=dry_run,
            prune=prune,
        )
    elif form == "json":
        import json

        click.echo(escaped_json(json.dumps(list(jobs), indent=2, ensure_ascii=False)))
    elif jobs:
        from scheduler.model.documents import dump_yaml

        click.echo(dump_yaml(jobs), nl=False)
    click.echo(summary, err=True)
    if jobs and not (do_apply or dry_run or into) and sys.stderr.isatty():
        click.echo(
            "nothing was sent: --dry-run compares them with the cluster, --apply creates them", err=True
        )


def source_of(given: str | None, file: str, *, prune: bool, sends: bool) -> str:
    """The label's value. Two hosts have a file of the same name, so pruning wants the name said."""
    if prune and not sends:
        raise Failure("--prune goes with --apply, or with --dry-run to see what it would delete", code=USAGE)
    if prune and given is None:
        raise Failure(
            "--prune needs --source NAME, the name under which these jobs were imported before",
            hint="Another source may have the same file name; --prune would delete its jobs.",
            code=USAGE,
        )
    if given is not None and not _SOURCE.fullmatch(given):
        raise Failure(
            f"--source {given[:60]!r} is no name: letters, digits, and . _ : @ / - between them, 128 at most",
            code=USAGE,
        )
    return given or re.sub(r"[^A-Za-z0-9._:@/-]+", "-", file).lstrip("-./:@_")[-128:] or "import"


def _write(jobs: Sequence[Job], into: str) -> None:
    from durable.files import replace_file
    from scheduler.model.documents import dump_yaml

    folder = Path(into)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Failure(f"{into} is there and not an empty folder", hint="Name a new one.", code=USAGE)
    texts = {f"{job['job']}.yaml": dump_yaml([job]) for job in jobs}
    if len({name.lower() for name in texts}) != len(texts):
        raise Failure("two jobs' names differ by capital letters alone: rename one of them", code=FAILED)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            replace_file(folder / name, text.encode())
            click.echo(f"{folder / name}", err=True)
    except OSError as error:
        raise Failure(f"{into} cannot be written: {error.strerror}", code=FAILED) from None
