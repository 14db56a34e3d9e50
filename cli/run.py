"""`cronclave run`: runs, their output, their end."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from cli.approving import approvals, approve, reject
from cli.client import Client, path_of
from cli.completing import job_names, namespaces
from cli.completions import complete, progress
from cli.examples import examples
from cli.exits import NOT_FOUND, TIMED_OUT, USAGE, Failure
from cli.explain import run_explain
from cli.graph import run_graph
from cli.hands import (
    ID,
    hold,
    override,
    release,
    resume,
    retry,
    skip,
    stop,
    suspend,
)
from cli.instants import milliseconds, rfc3339
from cli.lazy import Group
from cli.members import members, show_worst
from cli.options import INSTANT, SPAN, connected, consistency, formatted, stale
from cli.output import more, show, with_warning
from cli.rerun import rerun
from cli.running import need_good_end, show_run, until_ended

RUN_COLUMNS = ("run", "namespace", "job", "state", "tick", "cause", "started", "finished", "exit")
STATES = (
    "pending", "running", "held", "suspended", "succeeded", "failed", "timed_out", "cancelled", "lost",
    "expired",
)  # fmt: skip


@click.group("run", cls=Group, epilog="Example: cronclave run list --state failed")
def run() -> None:
    """Look at runs, follow their output, cancel them."""


run.add_command(run_explain)
run.add_command(run_graph)
for hand in (
    approvals, approve, reject, complete, progress, members, rerun, suspend, resume, release, override, hold,
    skip, retry, stop,
):  # fmt: skip
    run.add_command(hand)


def run_row(item: dict[str, Any]) -> tuple[object, ...]:
    return (
        item["id"], item["namespace"], item["job"], with_warning(item), item["tick"], item.get("cause"),
        item["started"], item["finished"], item["exit_code"],
    )  # fmt: skip


@run.command(
    "list",
    epilog=examples(
        "cronclave run list --state failed --since -1d  # what failed last night",
        "cronclave run list --job nightly-report --since -1d -o json",
    ),
)
@click.option(
    "--job", metavar="NAME", shell_complete=job_names, help="Of this job (in --namespace, default `default`)."
)
@click.option("-n", "--namespace", metavar="NAME", help="Of one namespace only.", shell_complete=namespaces)
@click.option("--state", type=click.Choice(STATES), help="Only in this state.")
@click.option("--warned", is_flag=True, help="Only with a warning.")
@click.option("--since", type=INSTANT, help="Created at or after this instant.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="At most.")
@stale
@formatted
@connected
def list_(
    client: Client, job: str | None, namespace: str | None, state: str | None, warned: bool,
    since: datetime | None, limit: int, stale: bool, form: str,
) -> None:  # fmt: skip
    """List runs, newest first."""
    moment = rfc3339(milliseconds(since)) if since else None
    path = path_of(
        "runs", job=job, namespace=namespace, state=state, warned="true" if warned else None, since=moment,
        consistency=consistency(stale),
    )  # fmt: skip
    items, there_is_more = client.items(path, limit)
    show(form, items, RUN_COLUMNS, lambda: [run_row(item) for item in items])
    more(there_is_more, len(items))


@run.command("show", epilog="Example: cronclave run show 42")
@ID
@stale
@formatted
@connected
def show_(client: Client, run_id: int, stale: bool, form: str) -> None:
    """Show a run with its tasks and their attempts."""
    found = client.get(path_of("runs", run_id, consistency=consistency(stale)))
    if form == "table":
        from cli.waiting import waits_for

        show_run(found, waits_for(client, found, stale=stale))
        show_worst(client, found, stale=stale)
    else:
        show(form, found, (), list)


@run.command(
    "logs",
    epilog=examples(
        "cronclave run logs 42",
        "cronclave run logs 42 --task extract -f  # until it has ended",
        "cronclave run logs 42 --attempt 1 > first.log",
        "cronclave run logs 42 --task load --round 1",
        "cronclave run logs 42 --task rotate --member 3",
    ),
)
@ID
@click.option("--task", metavar="NAME", help="One task only; all, one after the other, by default.")
@click.option("--round", type=click.IntRange(1), help="Of a task in a group; the newest by default.")
@click.option("--member", metavar="NAME", help="Of a task that is divided (fanout).")
@click.option("--attempt", type=click.IntRange(1), help="Number of the attempt; the latest by default.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run, or the task named, has ended.")
@click.option(
    "--raw/--no-raw", default=None, help="Byte for byte as the job wrote it: the default but on a terminal."
)
@connected
def logs(
    client: Client, run_id: int, task: str | None, round: int | None, member: str | None,
    attempt: int | None, follow: bool, raw: bool | None,
) -> None:  # fmt: skip
    """Print the output of a run, from any node, live.

    A terminal gets text and colours (none with NO_COLOR); what else would drive it (cursor, title, clipboard,
    links) is left out. Pipes and files get every byte; with --no-raw they too get text and colours alone.
    Words about the output (the next attempt begins, bytes are not kept, what a run waits for) go to standard
    error. With -f, the exit code says how what was followed ended, as `run wait` does.
    """
    from cli.following import Reading, Screen, divided, follow_run, need_success, show_tasks

    screen = Screen(raw=not sys.stdout.isatty() if raw is None else raw)
    found = client.get(path_of("runs", run_id))
    if task is not None and task not in found["tasks"]:
        raise Failure(f"run {run_id} has no task {task!r}", code=NOT_FOUND, details=sorted(found["tasks"]))
    if (round is not None or member is not None) and task is None:
        option = "--round" if round is not None else "--member"
        raise click.UsageError(f"{option} is of one task: name it with --task")
    if round is not None:
        rounds = found["tasks"][task]["round"] + 1
        if round > rounds:
            begun = "one round" if rounds == 1 else f"{rounds} rounds"
            raise Failure(f"task {task} of run {run_id} has {begun}, and no round {round}", code=NOT_FOUND)
        round -= 1  # the API counts from none
    inside = {name: each["group"] for name, each in found["tasks"].items() if each.get("group")}
    if task in inside.values():
        raise Failure(
            f"{task} is a group, which writes nothing itself: name one of its tasks", code=USAGE,
            details=sorted(name for name, group in inside.items() if group == task),
        )  # fmt: skip
    if not follow:
        all_of_them = [name for name in found["tasks"] if name not in inside.values()]
        names = [task] if task is not None else all_of_them
        return show_tasks(client, screen, found, names, attempt, round, member)
    if task is not None:
        if found["tasks"][task].get("members") and member is None:
            screen.note(divided(run_id, task))
        Reading(
            client, run_id, task, attempt, write=screen.write, note=screen.note, round=round, member=member
        ).follow()
        screen.cut()
    else:
        follow_run(client, screen, run_id, attempt)
    need_success(client, run_id, task, attempt, round=round, member=member)


@run.command("cancel", epilog="Example: cronclave run cancel 42")
@ID
@connected
def cancel(client: Client, run_id: int) -> None:
    """Cancel a run: what waits is dropped, what runs is stopped."""
    found = client.post(path_of("runs", run_id, "cancel"))
    click.echo(f"run {run_id} {'is being cancelled' if found['finished'] is None else found['state']}")


@run.command("wait", epilog="Example: cronclave run wait 42 --timeout 10m")
@ID
@click.option("--timeout", type=SPAN, default="1h", show_default=True, help="Exit code 7 after this.")
@formatted
@connected
def wait(client: Client, run_id: int, timeout: float, form: str) -> None:
    """Wait for the end of a run, whose outcome is the exit code.

    0: it succeeded; 10: it failed; 11: it timed out; 12: it was cancelled; 13: it was lost with its agent;
    14: it did not start by its deadline; 7: it has not ended within --timeout. A verdict (run override)
    counts before how it ended.
    """
    found = until_ended(client, run_id, timeout)
    if form == "table":
        click.echo(f"run {run_id} {with_warning(found)}")
    else:
        show(form, found, (), list)
    if found["finished"] is None:
        raise Failure(f"run {run_id} has not ended within the time given", code=TIMED_OUT)
    need_good_end(found)


@run.command("resolve", epilog="Example: cronclave run resolve 42 --yes")
@ID
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
def resolve(client: Client, run_id: int, yes: bool) -> None:
    """Declare the unreachable attempts of a run lost: you vouch that they run no more."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Are you sure that nothing of run {run_id} runs any more?", abort=True)
    found = client.post(path_of("runs", run_id, "resolve"))
    click.echo(f"run {run_id} {found['state']}")
