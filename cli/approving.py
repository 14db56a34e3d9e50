"""`cronclave run approvals`, `approve`, `reject`: what waits for a person, and the answers."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import namespaces
from cli.examples import examples
from cli.exits import NOT_FOUND, USAGE, Failure
from cli.hands import ID
from cli.options import connected, consistency, formatted, stale
from cli.output import more, show

COLUMNS = ("run", "namespace", "job", "task", "asks", "by", "expires", "you may")
TEXT_LETTERS_MAX = 60
NAMES_SHOWN = 5

TASK = click.argument("task", required=False)
ROUND = click.option(
    "--round", type=click.IntRange(1), help="Of a task in a group: the round that it is for; the newest."
)
REASON = click.option("--reason", metavar="TEXT", help="Why: it is shown with the run, and in the audit.")


def who_may(item: dict[str, Any]) -> str:
    names = item["by"]
    told = ", ".join(names[:NAMES_SHOWN]) or "any approver"
    told += f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{told}, not {item['not']}" if item["not"] else told


def asks(approval: dict[str, Any]) -> str:
    """What a task waits for."""
    text = approval["text"] or "whether the run goes on"
    text = text if len(text) <= TEXT_LETTERS_MAX else f"{text[:TEXT_LETTERS_MAX]}…"
    return f"asks {who_may(approval)} until {approval['expires']}: {text}"


def row_of(item: dict[str, Any]) -> tuple[object, ...]:
    text = item["text"] or ""
    return (
        item["run"], item["namespace"], item["job"], item["task"],
        text if len(text) <= TEXT_LETTERS_MAX else f"{text[:TEXT_LETTERS_MAX]}…", who_may(item),
        item["expires"], "yes" if item["may"] else "no",
    )  # fmt: skip


@click.command(
    "approvals",
    epilog=examples(
        "cronclave run approvals --mine  # what waits for you",
        "cronclave run approvals -n finance -o json",
    ),
)
@click.option("--mine", is_flag=True, help="Those alone that you may answer.")
@click.option("-n", "--namespace", metavar="NAME", help="Of one namespace only.", shell_complete=namespaces)
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most.")
@stale
@formatted
@connected
def approvals(
    client: Client, mine: bool, namespace: str | None, limit: int, stale: bool, form: str
) -> None:
    """List what waits for a person, newest first."""
    path = path_of(
        "approvals", namespace=namespace, mine="true" if mine else None, consistency=consistency(stale)
    )
    items, there_is_more = client.items(path, limit)
    show(form, items, COLUMNS, lambda: [row_of(item) for item in items])
    more(there_is_more, len(items))


@click.command(
    "approve",
    epilog=examples(
        "cronclave run approve 42 --reason 'the sums are right'  # the task that waits",
        "cronclave run approve 42 sign-off  # of several that wait, this one",
    ),
)
@ID
@TASK
@ROUND
@REASON
@connected
def approve(
    client: Client, run_id: int, task: str | None, round: int | None, reason: str | None
) -> None:
    """Say yes to a task that asks: it has succeeded, and the run goes on.

    You need the role approver in the job's namespace, and to be named where the job names who may (`by`).
    An answer counts once; the same one again, of the same person, is no mistake (exit code 0), any other is
    refused (5).
    """
    _answer(client, run_id, task, round, "approve", reason)


@click.command("reject", epilog="Example: cronclave run reject 42 --reason 'the sums are wrong'")
@ID
@TASK
@ROUND
@REASON
@connected
def reject(client: Client, run_id: int, task: str | None, round: int | None, reason: str | None) -> None:
    """Say no to a task that asks: it has failed, and the run goes on by its rules."""
    _answer(client, run_id, task, round, "reject", reason)


def _answer(
    client: Client, run_id: int, task: str | None, round: int | None, word: str, reason: str | None
) -> None:
    if task is None:
        task, number = _the_one_that_asks(client, run_id, "approved" if word == "approve" else "rejected")
        round = number if round is None else round - 1
    else:
        round = None if round is None else round - 1  # the API counts from none
    path = path_of("runs", run_id, "tasks", task, word, round=None if round is None else str(round))
    found = client.post(path, {"reason": reason} if reason else None)
    told = found["tasks"].get(task, {})
    click.echo(f"task {task} of run {run_id} {told.get('state')}, {told.get('reason')}")
    if found["finished"] is not None:
        click.echo(f"run {run_id} {found['state']}")


def _the_one_that_asks(client: Client, run_id: int, answer: str) -> tuple[str, int]:
    """Its name and round. Where none does any more, the only one that was answered so: the cluster says
    whether it was by the same person, for whom that is no mistake."""
    found = client.get(path_of("runs", run_id))
    asking = {
        name: each["round"]
        for name, each in found["tasks"].items()
        if each["state"] == "active" and each.get("approval") and not each["approval"]["answer"]
    }
    answered = {
        name: each["round"]
        for name, each in found["tasks"].items()
        if each.get("approval") and each["approval"]["answer"] == answer
    }
    if not asking and len(answered) == 1:
        asking = answered
    if not asking:
        raise Failure(
            f"no task of run {run_id} waits for an answer", code=NOT_FOUND,
            details=[f"{name}: {each['state']}" for name, each in found["tasks"].items()][:20],
        )  # fmt: skip
    if len(asking) > 1:
        names = sorted(asking)
        raise Failure(f"several tasks of run {run_id} wait: name one", code=USAGE, details=names)
    ((name, number),) = asking.items()
    return name, number
