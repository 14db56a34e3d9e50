"""Job files: found, read, checked here, so that a mistake is told with file:line:column and nothing is
sent.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.client import Client, path_of
from cli.exits import USAGE, Failure

if TYPE_CHECKING:
    from scheduler.model.documents import Document

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
JOBS_A_REQUEST = 1_000  #: the server's own limit
BYTES_A_REQUEST = 900_000  #: below its limit of 1 MiB
PROBLEMS_SHOWN = 50


@dataclass(slots=True)
class Diff:
    created: list[dict[str, Any]]
    changed: list[dict[str, Any]]
    unchanged: list[dict[str, Any]]


def read_documents(paths: Sequence[str]) -> list[Document]:
    """Every job of these files and folders, in order; `-` is standard input. Raises Failure."""
    from scheduler.model.documents import load_yaml
    from scheduler.model.problems import JobError

    documents: list[Document] = []
    problems: list[str] = []
    for path in _files(paths):
        name = "(stdin)" if path == "-" else path
        try:
            text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
            documents += load_yaml(text, name)
        except JobError as error:
            problems += [str(problem) for problem in error.problems]
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}")
    _raise(problems)
    if not documents:
        folders = any(Path(path).is_dir() for path in paths)
        hint = f"In folders only files are read that end with {', '.join(sorted(SUFFIXES))}."
        raise Failure(f"no jobs in {', '.join(paths)}", hint=hint if folders else "The file is empty.")
    return documents


def check(documents: Sequence[Document], namespace: str) -> None:
    """Refuse what the cluster would refuse, all of it at once. Raises Failure."""
    from scheduler.model.documents import parse_document
    from scheduler.model.problems import JobError

    problems: list[str] = []
    first: dict[tuple[str, str], str] = {}
    for document in documents:
        try:
            job = parse_document(document, namespace_default=namespace, now_ms=time.time_ns() // 1_000_000)
        except JobError as error:
            problems += [str(problem) for problem in error.problems]
            continue
        where = document.where("/job")
        before = first.setdefault((job.namespace, job.name), where)
        if before != where:
            problems.append(f"{where}: job {job.namespace}/{job.name} is defined already at {before}")
    _raise(problems)


def apply(client: Client, jobs: Sequence[Any], *, namespace: str, dry_run: bool, source: str = "") -> Diff:
    """Send jobs; one request where they fit, else slices, each all or none."""
    total = Diff([], [], [])
    slices = list(_slices(jobs))
    if len(slices) > 1:
        click.echo(f"{len(jobs)} jobs go in {len(slices)} requests; each is applied as a whole", err=True)
    path = path_of("apply", namespace=namespace, dry_run=dry_run, source=source or None)
    while slices:
        body = slices.pop(0)
        try:
            reply = client.send("POST", path, b'{"jobs":[' + b",".join(body) + b"]}")
        except Failure as failure:
            if failure.kind != "too-large" or len(body) == 1:
                raise
            # The server measures with all defaults filled in; it has changed nothing.
            half = len(body) // 2
            slices[:0] = [body[:half], body[half:]]
            click.echo(
                f"{len(body)} jobs are too large for one request and go in two; each is applied as a whole",
                err=True,
            )
            continue
        total.created += reply["created"]
        total.changed += reply["changed"]
        total.unchanged += reply["unchanged"]
    return total


def show_diff(diff: Diff, *, dry_run: bool) -> None:
    for sign, colour, word, jobs in (
        ("+", "green", "created", diff.created),
        ("~", "yellow", "changed", diff.changed),
    ):
        for job in jobs:
            revision = f", revision {job['revision']}" if job.get("revision") and not dry_run else ""
            click.echo(click.style(f"{sign} {job['namespace']}/{job['name']}  {word}{revision}", fg=colour))
    would = "would be " if dry_run else ""
    click.echo(
        f"{len(diff.created)} {would}created, {len(diff.changed)} {would}changed, "
        f"{len(diff.unchanged)} unchanged"
    )


def _slices(jobs: Iterable[Any]) -> Iterable[list[bytes]]:
    body: list[bytes] = []
    size = 0
    for job in jobs:
        data = json.dumps(job, ensure_ascii=False).encode()
        if body and (len(body) == JOBS_A_REQUEST or size + len(data) > BYTES_A_REQUEST):
            yield body
            body, size = [], 0
        body.append(data)
        size += len(data) + 1
    yield body


def _files(paths: Sequence[str]) -> Iterable[str]:
    for path in paths:
        if path == "-":
            yield path
        elif Path(path).is_dir():
            found = (file for file in Path(path).rglob("*") if file.suffix in SUFFIXES and file.is_file())
            yield from (str(file) for file in sorted(found))
        elif Path(path).exists():
            yield path
        else:
            raise Failure(f"there is no file {path}", code=USAGE)


def _raise(problems: Sequence[str]) -> None:
    if problems:
        shown = [*problems[:PROBLEMS_SHOWN]]
        if len(problems) > PROBLEMS_SHOWN:
            shown.append(f"and {len(problems) - PROBLEMS_SHOWN} more")
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise Failure(f"{count}; nothing was sent", details=shown)
