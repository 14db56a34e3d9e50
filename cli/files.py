"""Job files: found, read, checked here, so that a mistake is told with file:line:column and nothing is
sent.
"""

from __future__ import annotations

import json
import os
import re
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import modules
from cli.client import Client, path_of
from cli.exits import NOT_FOUND, USAGE, Failure
from cli.progress import bar
from cli.staging import Stage

if TYPE_CHECKING:
    from scheduler.model.documents import Document
    from scheduler.model.templates import Templates

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
JOBS_A_REQUEST = 1_000  #: the server's own limit
JOBS_A_SLICE = 250  #: of a staged apply: each is an entry of the log, and ticks wait behind it
BYTES_A_REQUEST = 900_000  #: below its limit of 1 MiB
PROBLEMS_SHOWN = 50
_POINTER = re.compile("/jobs/([0-9]+)(/.*)?", re.DOTALL)


@dataclass(slots=True)
class Diff:
    created: list[dict[str, Any]]
    changed: list[dict[str, Any]]
    unchanged: list[dict[str, Any]]
    deleted: list[dict[str, Any]]
    deleted_more: int = 0  #: beyond those that are named
    moves: list[dict[str, Any]] = field(default_factory=list)
    """Of a dry run: ticks of jobs that it leaves which come otherwise."""
    moves_cut: bool = False  #: more triggers move than were looked at
    warnings: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    """Of a dry run: what people said of single ticks, and is dropped."""
    follow: list[dict[str, Any]] = field(default_factory=list)
    """Of a dry run: jobs that extend its templates, and change."""


def read_documents(paths: Sequence[str], *, may_be_empty: bool = False) -> list[Document]:
    """Every job of these files and folders, in order; `-` is standard input, a file of Python is evaluated.
    What `job get` and `job list` print is a file too: what the server told beside the definitions is left
    out. Raises Failure, also where there is none at all, which is seldom meant."""
    from scheduler.model.documents import load_yaml
    from scheduler.model.problems import JobError
    from scheduler.model.server_facts import definition_of

    documents: list[Document] = []
    problems: list[str] = []
    is_blank = True
    for path in _files(paths):
        name = "(stdin)" if path == "-" else path
        if path.endswith(modules.SUFFIX):
            documents += modules.documents_of(path)
            is_blank = False
            continue
        try:
            data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
            is_blank = is_blank and not data.strip()
            documents += load_yaml(_text(data), name)
        except JobError as error:
            problems += [str(problem) for problem in error.problems]
        except UnicodeDecodeError as error:
            problems.append(f"{name}:{_foreign(error)}")
        except OSError as error:
            problems.append(f"{name}: cannot be read: {error.strerror or error}")
    _raise(problems)
    if not documents and not may_be_empty:
        folders = any(Path(path).is_dir() for path in paths)
        if folders:
            hint = f"In folders only files are read that end with {', '.join(sorted(SUFFIXES))}."
        else:
            hint = "It is empty." if is_blank else ""
        if folders or is_blank:
            hint += " Where nothing is left of a source: --prune --may-be-empty."
        raise Failure(f"no jobs in {', '.join(paths)}", hint=hint)
    return [
        replace(document, data=definition_of(document.data)) if isinstance(document.data, dict) else document
        for document in documents
    ]


def _text(data: bytes) -> str:
    """Its text, whatever the locale is, with line feeds alone. Raises UnicodeDecodeError."""
    return StringIO(data.decode("utf-8"), newline=None).read()


def _foreign(error: UnicodeDecodeError) -> str:
    """The place of the byte that is no UTF-8, and what it may be."""
    before = error.object[: error.start]
    if error.object[:2] in (BOM_UTF16_LE, BOM_UTF16_BE):
        return "1:1: the file is UTF-16: convert it to UTF-8"
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
    return f"{line}:{column}: the byte 0x{error.object[error.start]:02X} is no UTF-8: convert the file"


def check(
    documents: Sequence[Document], namespace: str, client: Client | None = None
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What each is by kind, namespace and name, all defaults filled in. Refuses what the cluster would
    refuse, all of it at once. `client`: of the cluster whose templates jobs may extend. Raises Failure.

    Whether a trigger lies in the past is left to the cluster, which knows those that the job has already.
    """
    from scheduler.model import Job
    from scheduler.model.objects.parsing import kind_name, parse_document
    from scheduler.model.problems import JobError

    problems: list[str] = []
    known = None if client is None else _templates(client, documents, namespace)
    first: dict[tuple[str, str, str], str] = {}
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    with bar("checking documents", len(documents)) as step:
        for document in documents:
            step(1)
            try:
                parsed = parse_document(document.data, namespace_default=namespace, templates=known)
            except JobError as error:
                for problem in error.problems:
                    problems.append(str(replace(problem, where=document.where(problem.pointer))))
                continue
            told = kind_name(document.data)
            kind = told if isinstance(parsed, Job) else parsed.kind.name  # or template: true
            where = document.where(f"/{told}")
            before = first.setdefault((kind, parsed.namespace, parsed.name), where)
            if before != where:
                named = f"{kind} {parsed.namespace}/{parsed.name}"
                problems.append(f"{where}: {named} is defined already at {before}")
            found[kind, parsed.namespace, parsed.name] = parsed.public()
    _raise(problems)
    return found


def _templates(client: Client, documents: Sequence[Document], namespace: str) -> Templates:
    """Those of the files, then those of the cluster."""
    from scheduler.model.objects.parsing import parse_document
    from scheduler.model.problems import JobError

    beside: dict[tuple[str, str], dict[str, Any] | None] = {}
    for document in documents:
        if isinstance(document.data, dict) and "template" in document.data:
            try:
                found = parse_document(document.data, namespace_default=namespace)
            except JobError:
                continue  # it is told of where all are read
            beside[found.namespace, found.name] = found.public().get("gives")

    def gives(of: str, name: str) -> dict[str, Any] | None:
        if (of, name) not in beside:
            try:
                beside[of, name] = client.get(path_of("templates", name, namespace=of))["gives"]
            except Failure as failure:
                if failure.exit_code != NOT_FOUND:
                    raise
                beside[of, name] = None
        return beside[of, name]

    return gives


def apply(
    client: Client, jobs: Sequence[Any], *, namespace: str, dry_run: bool, source: str = "",
    prune: bool = False, prune_max: int | None = None, where: Callable[[int, str], str] | None = None,
) -> Diff:  # fmt: skip
    """Send documents, all or none: in one request where they fit, else laid down in slices that are judged
    together and go live together. `where`: the place in a file of the part at a pointer into the document of
    this number."""
    query = {"namespace": namespace, "source": source or None}
    slices = list(_slices(jobs, JOBS_A_REQUEST))
    if len(slices) == 1:
        path = path_of("apply", **query, dry_run=dry_run, prune=prune, prune_max=prune_max)
        try:
            return _send(slices, lambda body: client.send("POST", path, body), where, may_halve=False)
        except Failure as failure:
            if failure.kind != "too-large" or (len(jobs) == 1 and not prune):
                raise
    stage = Stage(client, **query)
    try:
        diff = _send(list(_slices(jobs, JOBS_A_SLICE)), stage.lay, where, may_halve=True)
        told = stage.commit(dry_run=dry_run, prune=prune, prune_max=prune_max)
    except BaseException:  # Ctrl-C too
        stage.drop()
        raise
    diff.deleted = [{**each, "revision": None} for each in told["names"]["deleted"]]
    diff.deleted_more = told["deleted"] - len(diff.deleted)
    return diff


def _send(
    slices: list[list[bytes]], send: Callable[[bytes], Mapping[str, Any]],
    where: Callable[[int, str], str] | None, *, may_halve: bool,
) -> Diff:  # fmt: skip
    """What they change, by what is told of each slice."""
    total = Diff([], [], [], [])
    sent = 0
    with bar("sending jobs", sum(map(len, slices))) as step:
        while slices:
            body = slices.pop(0)
            try:
                reply = send(b'{"jobs":[' + b",".join(body) + b"]}")
            except Failure as failure:
                if failure.kind != "too-large" or len(body) == 1 or not may_halve:
                    if where is not None:
                        _place(failure, sent, where)
                    raise
                # The server measures what it writes down, which may be more; it has taken nothing.
                half = len(body) // 2
                slices[:0] = [body[:half], body[half:]]
                continue
            sent += len(body)
            step(len(body))
            total.created += reply["created"]
            total.changed += reply["changed"]
            total.unchanged += reply["unchanged"]
            total.deleted += reply["deleted"]
            total.dropped += reply.get("dropped") or []
            total.moves += reply.get("moves") or []
            total.moves_cut = total.moves_cut or bool(reply.get("moves_cut"))
            total.follow += reply.get("follow") or ()
            total.warnings += reply.get("warnings", ())
    return total


def _place(failure: Failure, sent: int, where: Callable[[int, str], str]) -> None:
    """Its details get the places in the files instead of pointers into the request."""
    if not failure.errors:
        return
    details = []
    for error, detail in zip(failure.errors, failure.details, strict=True):
        if match := _POINTER.fullmatch(str(error.get("pointer"))):
            told = detail.removeprefix(f"{error['pointer']}: ")
            pointer = match[2] or ""
            detail = f"{where(sent + int(match[1]), pointer)} {pointer}: {told}"
        details.append(detail)
    failure.details = tuple(details)


def show_diff(diff: Diff, *, dry_run: bool) -> None:
    for sign, colour, word, jobs in (
        ("+", "green", "created", diff.created),
        ("~", "yellow", "changed", diff.changed),
        ("-", "red", "deleted", diff.deleted),
    ):
        for job in jobs:
            revision = f", revision {job['revision']}" if job.get("revision") and not dry_run else ""
            kind = "" if job.get("kind", "job") == "job" else f"{job['kind']} "
            name = f"{kind}{job['namespace']}/{job['name']}"
            click.echo(click.style(f"{sign} {name}  {word}{revision}", fg=colour))
    for each in diff.warnings:
        of = f"{each['namespace']}/{each['name']} {each['pointer']}"
        click.echo(click.style(f"! {of}: {each['detail']}", fg="yellow"), err=True)
    if diff.warnings:
        click.echo(f"  {diff.warnings[0]['hint']}", err=True)
    deleted = len(diff.deleted) + diff.deleted_more
    if diff.deleted_more:
        click.echo(click.style(f"- … and {diff.deleted_more} more", fg="red"))
    would = "would be " if dry_run else ""
    click.echo(
        f"{len(diff.created)} {would}created, {len(diff.changed)} {would}changed, "
        f"{len(diff.unchanged)} unchanged" + (f", {deleted} {would}deleted" if deleted else "")
    )


def _slices(jobs: Iterable[Any], most: int) -> Iterable[list[bytes]]:
    body: list[bytes] = []
    size = 0
    for job in jobs:
        data = json.dumps(job, ensure_ascii=False).encode()
        if body and (len(body) == most or size + len(data) > BYTES_A_REQUEST):
            yield body
            body, size = [], 0
        body.append(data)
        size += len(data) + 1
    yield body


def _stop(error: OSError) -> None:
    """A folder that cannot be read may hold jobs: nothing is applied then."""
    raise error


def _files(paths: Sequence[str]) -> Iterable[str]:
    for path in paths:
        if path == "-":
            yield path
        elif Path(path).is_dir():
            try:
                found = [
                    Path(folder, name) for folder, _, names in os.walk(path, onerror=_stop) for name in names
                ]
                yield from (str(file) for file in sorted(found) if file.suffix in SUFFIXES and file.is_file())
            except OSError as error:
                raise Failure(f"{error.filename}: cannot be read: {error.strerror or error}") from None
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
