"""`cronclave run complete`, `progress`: somebody outside says how an async task ended, or how far it is."""

from __future__ import annotations

import json
from typing import Any

import click

from cli.client import Client, path_of
from cli.examples import examples
from cli.exits import NOT_FOUND, USAGE, Failure
from cli.hands import ID, MEMBER
from cli.options import connected

TASK = click.argument("task", required=False)
TEXT_LETTERS_MAX = 60


def completion_words(attempt: dict[str, Any]) -> str:
    """What an attempt waits for of whoever completes it, or how far it is; empty: neither."""
    known = attempt.get("completion")
    if not known or attempt["finished"] is not None:
        return ""
    parts = []
    if known["progress"] is not None:
        percent, text = known["progress"]["percent"], known["progress"]["text"] or ""
        text = text if len(text) <= TEXT_LETTERS_MAX else f"{text[:TEXT_LETTERS_MAX]}…"
        parts.append(" ".join(filter(None, (f"{percent} %" if percent is not None else "", text))))
    if known["outcome"]:
        parts.append(f"completed as {known['outcome']}, its process goes on")
    elif known["until"]:
        parts.append(f"awaits its completion until {known['until']}")
    return "; ".join(parts)


@click.command(
    "complete",
    epilog=examples(
        "cronclave run complete 42 --output rows=3  # the task that awaits it",
        "cronclave run complete 42 submit --as failed --message 'the disk is full'",
    ),
)
@ID
@TASK
@click.option(
    "--as", "outcome", type=click.Choice(("succeeded", "failed")), default="succeeded", show_default=True,
    help="As what it ends.",
)  # fmt: skip
@click.option("--message", metavar="TEXT", help="Why: it is shown with the run, and in the audit.")
@click.option(
    "--output", "outputs", metavar="NAME=VALUE", multiple=True,
    help="For the tasks after it: JSON where it is such, else text.",
)  # fmt: skip
@MEMBER
@connected
def complete(
    client: Client, run_id: int, task: str | None, outcome: str, message: str | None,
    outputs: tuple[str, ...], member: str | None,
) -> None:  # fmt: skip
    """Say how an async task ended, in place of what it handed its work to.

    The first word counts; the same one again is no mistake. A task whose process goes on ends so with that.
    """
    body: dict[str, Any] = {"outcome": outcome}
    body |= {"message": message} if message else {}
    body |= {"outputs": dict(map(_output, outputs))} if outputs else {}
    _say(client, run_id, task or _the_one_that_awaits(client, run_id), member, "complete", body)


@click.command("progress", epilog="Example: cronclave run progress 42 submit --percent 40 --text 'copying'")
@ID
@TASK
@click.option("--percent", type=click.IntRange(0, 100), help="How much is done.")
@click.option("--text", metavar="TEXT", help="What it is at.")
@MEMBER
@connected
def progress(
    client: Client, run_id: int, task: str | None, percent: int | None, text: str | None, member: str | None
) -> None:
    """Say how far an async task is, at most every 5 s: shown with its run."""
    if percent is None and not text:
        raise click.UsageError("give --percent, --text or both")
    body = {"percent": percent, **({"text": text} if text else {})}
    _say(client, run_id, task or _the_one_that_awaits(client, run_id), member, "progress", body)


def _output(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.BadParameter(f"{text!r}: write NAME=VALUE", param_hint="--output")
    try:
        found = json.loads(value)
    except ValueError:
        return name, value
    return name, found if isinstance(found, str | int | float) else value


def _say(client: Client, run_id: int, task: str, member: str | None, word: str, body: dict[str, Any]) -> None:
    found = client.post(path_of("runs", run_id, "tasks", task, word, member=member), body)
    of = f"member {found['member']} of task {task}" if found["member"] else f"task {task}"
    words = completion_words({**found, "completion": found, "finished": None})
    state = f"attempt {found['attempt']} {found['state']}"
    said = words if found["state"] in ("awaiting", "granted", "running") and words else state
    click.echo(f"{of} of run {run_id}: {said}")


def _the_one_that_awaits(client: Client, run_id: int) -> str:
    found = client.get(path_of("runs", run_id))
    waiting = sorted(
        name
        for name, each in found["tasks"].items()
        if each["attempts"] and each["attempts"][-1]["state"] == "awaiting"
    )
    if not waiting:
        raise Failure(
            f"no task of run {run_id} awaits its completion: name it", code=NOT_FOUND,
            details=[f"{name}: {each['state']}" for name, each in found["tasks"].items()][:20],
        )  # fmt: skip
    if len(waiting) > 1:
        raise Failure(
            f"several tasks of run {run_id} await their completion: name one", code=USAGE, details=waiting
        )
    return str(waiting[0])
