"""`cronclave run suspend`, `resume`, `release`, `hold`, `skip`, `retry`, `stop`: hands on a live run."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import run_numbers
from cli.examples import examples
from cli.options import connected


class RunNumber(click.IntRange):
    name = "run number"  # as click's messages call it


ID = click.argument("run_id", metavar="RUN", type=RunNumber(1), shell_complete=run_numbers)
TASK = click.argument("task")
MEMBER = click.option("--member", metavar="NAME", help="Of a task that is divided: this one, not the whole.")
REASON = click.option("--reason", metavar="TEXT", help="Why: it is shown with the run, and in the audit.")


def hold_words(hold: dict[str, Any]) -> str:
    by = f" by {hold['by']}" if hold["by"] else ""
    return f"since {hold['since']}{by}" + (f": {hold['reason']}" if hold["reason"] else "")


def verdict_words(override: dict[str, Any]) -> str:
    by = f" by {override['by']}" if override["by"] else ""
    return f"{override['as']}, overridden{by} at {override['at']}: {override['reason']}"


def members_words(members: dict[str, int]) -> str:
    """How a divided task stands with its members."""
    parts = [f"{members[name]} {name}" for name in ("failed", "skipped", "going") if members[name]]
    return ", ".join([f"{members['succeeded']} of {members['all']} members succeeded", *parts])


@click.command("suspend", epilog="Example: cronclave run suspend 42 --reason 'the disk fills up'")
@ID
@REASON
@connected
def suspend(client: Client, run_id: int, reason: str | None) -> None:
    """Let nothing more of a run start.

    What an agent has goes on, and its end counts. The run's timeout and start deadline stand still, and it
    counts for overlap as before.
    """
    found = _act(client, run_id, "suspend", reason)
    running = sum(
        attempt["finished"] is None for task in found["tasks"].values() for attempt in task["attempts"]
    )
    going_on = f"; {running} attempts go on" if running > 1 else "; one attempt goes on" if running else ""
    click.echo(f"run {run_id} is {found['state']}{going_on}")


@click.command("resume", epilog="Example: cronclave run resume 42")
@ID
@REASON
@connected
def resume(client: Client, run_id: int, reason: str | None) -> None:
    """Let a suspended run go on where it was."""
    found = _act(client, run_id, "resume", reason)
    click.echo(f"run {run_id} is {found['state']}")


@click.command(
    "release",
    epilog=examples("cronclave run release 42", "cronclave run release 42 load  # a held task of it"),
)
@ID
@click.argument("task", required=False)
@MEMBER
@REASON
@connected
def release(
    client: Client, run_id: int, task: str | None, member: str | None, reason: str | None
) -> None:
    """Let a held run start, one that waits behind others of its job or for its window, or a held task.

    A run that waits until its namespace may have one more is not released from that. A task that is held
    since it failed (policy on_failure: hold) ends as it had.
    """
    if task is not None:
        return _say(run_id, task, member, _on_task(client, run_id, task, member, "release", reason))
    if member is not None:
        raise click.UsageError("--member is of one task: name it")
    found = _act(client, run_id, "release", reason)
    waits = f", and waits (run explain {run_id})" if found["waiting"] else ""
    click.echo(f"run {run_id} is {found['state']}{waits}")


@click.command(
    "override", epilog="Example: cronclave run override 42 --as succeeded --reason 'loaded by hand'"
)
@ID
@click.option(
    "--as", "verdict", required=True, type=click.Choice(("succeeded", "failed")), help="As what it counts."
)
@click.option("--reason", metavar="TEXT", required=True, help="Why: shown with the run, and in the audit.")
@connected
def override(client: Client, run_id: int, verdict: str, reason: str) -> None:
    """Lay a verdict over a run that has ended.

    Jobs that wait for it (after) are judged again, by the verdict; so does it count in overviews. How the run
    ended stays, and is shown beneath.
    """
    found = client.post(path_of("runs", run_id, "override"), {"as": verdict, "reason": reason})
    click.echo(f"run {run_id} {found['state']}, and counts as {verdict}")


@click.command("hold", epilog="Example: cronclave run hold 42 load --reason 'look at the data first'")
@ID
@TASK
@MEMBER
@REASON
@connected
def hold(client: Client, run_id: int, task: str, member: str | None, reason: str | None) -> None:
    """Let a task that has not started wait until it is released: a breakpoint."""
    _say(run_id, task, member, _on_task(client, run_id, task, member, "hold", reason))


@click.command(
    "skip",
    epilog=examples(
        "cronclave run skip 42 load --reason 'nothing to load today'",
        "cronclave run skip 42 load --pass  # what needs it goes on as if it had succeeded",
    ),
)
@ID
@TASK
@click.option("--pass", "passes", is_flag=True, help="For the tasks that need it, it succeeded.")
@MEMBER
@REASON
@connected
def skip(
    client: Client, run_id: int, task: str, passes: bool, member: str | None, reason: str | None
) -> None:
    """Skip a task that has not started, or that is held since it failed.

    What needs it goes by its rule: under all_success it is skipped too, unless --pass says otherwise.
    """
    more = {"pass": True} if passes else {}
    _say(run_id, task, member, _on_task(client, run_id, task, member, "skip", reason, **more))


@click.command("retry", epilog="Example: cronclave run retry 42 load")
@ID
@TASK
@MEMBER
@REASON
@connected
def retry(client: Client, run_id: int, task: str, member: str | None, reason: str | None) -> None:
    """Try a task now that waits for its next try, or is held since it failed."""
    _say(run_id, task, member, _on_task(client, run_id, task, member, "retry", reason))


@click.command("stop", epilog="Example: cronclave run stop 42 load --reason 'it hangs'")
@ID
@TASK
@MEMBER
@REASON
@connected
def stop(client: Client, run_id: int, task: str, member: str | None, reason: str | None) -> None:
    """Stop the attempt of one task; it is not tried again, and the run goes on by its rules."""
    _say(run_id, task, member, _on_task(client, run_id, task, member, "stop", reason))


def _on_task(
    client: Client, run_id: int, task: str, member: str | None, hand: str, reason: str | None, **more: Any
) -> dict[str, Any]:
    body = {**({"reason": reason} if reason else {}), **more}
    path = path_of("runs", run_id, "tasks", task, hand, member=member)
    found: dict[str, Any] = client.post(path, body or None)
    return found


def _say(run_id: int, task: str, member: str | None, found: dict[str, Any]) -> None:
    told = found["tasks"].get(task, {})
    stopping = any(attempt["state"] == "cancelling" for attempt in told.get("attempts", ()))
    if member is not None:
        counts = members_words(told["members"]) if told.get("members") else told.get("state")
        click.echo(f"done to member {member} of task {task} of run {run_id}: {counts}")
    else:
        click.echo(f"task {task} of run {run_id} is {'being stopped' if stopping else told.get('state')}")
    if found["finished"] is not None:
        click.echo(f"run {run_id} {found['state']}")


def _act(client: Client, run_id: int, hand: str, reason: str | None) -> dict[str, Any]:
    found: dict[str, Any] = client.post(path_of("runs", run_id, hand), {"reason": reason} if reason else None)
    return found
