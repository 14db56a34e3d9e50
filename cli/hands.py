"""`cronclave run suspend`, `resume`, `release`: hands on a live run."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import run_numbers
from cli.options import connected


class RunNumber(click.IntRange):
    name = "run number"  # as click's messages call it


ID = click.argument("run_id", metavar="RUN", type=RunNumber(1), shell_complete=run_numbers)
REASON = click.option("--reason", metavar="TEXT", help="Why: it is shown with the run, and in the audit.")


def hold_words(hold: dict[str, Any]) -> str:
    by = f" by {hold['by']}" if hold["by"] else ""
    return f"since {hold['since']}{by}" + (f": {hold['reason']}" if hold["reason"] else "")


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


@click.command("release", epilog="Example: cronclave run release 42")
@ID
@REASON
@connected
def release(client: Client, run_id: int, reason: str | None) -> None:
    """Let a held run start, or one that waits behind others of its job.

    A run that waits until its namespace may have one more is not released from that.
    """
    found = _act(client, run_id, "release", reason)
    waits = ", and waits for its namespace" if found["waiting"] else ""
    click.echo(f"run {run_id} is {found['state']}{waits}")


def _act(client: Client, run_id: int, hand: str, reason: str | None) -> dict[str, Any]:
    found: dict[str, Any] = client.post(path_of("runs", run_id, hand), {"reason": reason} if reason else None)
    return found
