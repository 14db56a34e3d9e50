"""`cronclave job edit`: a job in an editor, and what is wrong with it at the top of the text.

Rules: what somebody else changed meanwhile is not written over (`If-Match`); a mistake brings the editor
back, with the words about it; a text is never lost: who gives up is told where it is kept.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import click

from cli.client import Client, path_of
from cli.completing import job_names
from cli.examples import examples
from cli.exits import USAGE, Failure
from cli.options import connected, namespaced
from cli.output import printable

#: editors that need a terminal
ON_SCREEN = ("vi", "vim", "nvim", "view", "nano", "pico", "emacs", "micro", "joe", "mcedit", "hx", "ne")
SAID = "#! "  #: begins a line that is ours
HEAD = """\
#! {where}, revision {revision}. Save it and leave the editor to apply it; unchanged, it changes nothing.
"""


@click.command(
    "edit",
    epilog=examples(
        "cronclave job edit nightly-report",
        "EDITOR=nano cronclave job edit backup -n data",
    ),
)
@click.argument("name", shell_complete=job_names)
@namespaced
@connected
def job_edit(client: Client, name: str, namespace: str) -> None:
    """Change a job in your editor ($VISUAL, else $EDITOR).

    Mistakes bring the editor back and are told at the top of the text. A job that somebody else changed
    meanwhile is not written over.
    """
    _need_terminal(name)
    with client.open("GET", path_of("jobs", name, "definition", namespace=namespace)) as response:
        revision = response.headers.get("ETag", "").strip('"')
        text = response.read().decode()
    folder = Path(tempfile.mkdtemp(prefix="cronclave-edit-"))
    path = folder / f"{name}.yaml"
    path.write_text(HEAD.format(where=f"{namespace}/{name}", revision=revision) + text, encoding="utf-8")
    try:
        told = _until_taken(client, path, name, namespace, revision, text)
    except BaseException:
        click.echo(f"your text is kept in {path}", err=True)
        raise
    path.unlink()
    folder.rmdir()
    click.echo(told)


def _need_terminal(name: str) -> None:
    """Raises Failure where an editor would wait for keys that nobody can press."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    program = Path(editor.split()[0]).name if editor.split() else ""
    if (not program or program in ON_SCREEN) and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure(
            "there is no terminal to edit in",
            code=USAGE,
            hint=f"cronclave job get {name} --definition -o yaml > {name}.yaml, change that, then"
            f" cronclave job apply {name}.yaml; or name an EDITOR that needs no keys: 'sed -i s/a/b/'.",
        )


def _until_taken(client: Client, path: Path, name: str, namespace: str, revision: str, text: str) -> str:
    """What to say at the end. Raises Failure."""
    before = text
    while True:
        click.edit(filename=str(path))
        try:
            edited = _own(path.read_text(encoding="utf-8", errors="surrogateescape"))
        except OSError as error:
            raise Failure(f"{path} cannot be read: {error.strerror}") from None
        if edited == text:
            return f"{namespace}/{name} is left as it is"
        try:
            return _apply(client, path, edited, name, namespace, revision)
        except Failure as failure:
            # Nothing new since the last mistake: whoever leaves it so has given up.
            if edited == before or failure.kind == "revision-mismatch" or not sys.stdin.isatty():
                raise
            before = edited
            path.write_text(_said(failure, path) + edited, encoding="utf-8", errors="surrogateescape")


def _own(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(SAID.strip()))


def _said(failure: Failure, path: Path) -> str:
    """What is wrong, as the first lines of the text, whose own lines stand lower by so many."""
    texts = [failure.message, *failure.details, *([failure.hint] if failure.hint else [])]
    lines = [line for text in texts for line in text.splitlines()]
    place = re.compile(rf"^{re.escape(str(path))}:([0-9]+):([0-9]+)")
    lines = [place.sub(lambda found: f"line {int(found[1]) + len(lines)}:{found[2]}", line) for line in lines]
    return "".join(f"{SAID}{printable(line)}\n" for line in lines)


def _apply(client: Client, path: Path, edited: str, name: str, namespace: str, revision: str) -> str:
    from cli import files

    path.write_text(edited, encoding="utf-8", errors="surrogateescape")  # so that lines count from its own
    documents = files.read_documents([str(path)])
    files.check(documents, namespace, client)
    if len(documents) != 1:
        hint = "Edit one; job apply takes several."
        raise Failure(f"these are {len(documents)} jobs", code=USAGE, hint=hint)
    named = (documents[0].data.get("job"), documents[0].data.get("namespace", namespace))
    if named != (name, namespace):
        hint = "Leave job and namespace as they are; job apply makes a new job."
        raise Failure(f"the text is of job {named[1]}/{named[0]}", code=USAGE, hint=hint)
    try:
        done = client.send(
            "PUT", path_of("jobs", name, namespace=namespace), edited.encode("utf-8", "surrogateescape"),
            headers={"Content-Type": "application/yaml", "If-Match": f'"{revision}"'},
        )  # fmt: skip
    except Failure as failure:
        if failure.kind == "revision-mismatch":
            failure.hint = f"It was changed meanwhile: cronclave job edit {name}, and bring yours in again."
        raise
    return f"{namespace}/{name} is changed, revision {done['revision']}"
