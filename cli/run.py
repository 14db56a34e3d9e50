"""`cronclave run`: runs, their output, their end."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import job_names, namespaces
from cli.examples import examples
from cli.exits import NOT_FOUND, TIMED_OUT, Failure, of_run
from cli.explain import run_explain
from cli.hands import (
    ID,
    hold,
    hold_words,
    override,
    release,
    resume,
    retry,
    skip,
    stop,
    suspend,
    verdict_words,
)
from cli.instants import milliseconds, rfc3339
from cli.options import INSTANT, SPAN, connected, consistency, formatted, stale
from cli.output import facts, more, show, table, with_warning

VALUE_LETTERS_MAX = 80  #: of an output, in a table

RUN_COLUMNS = ("run", "namespace", "job", "state", "tick", "cause", "started", "finished", "exit")
STATES = (
    "pending", "running", "held", "suspended", "succeeded", "failed", "timed_out", "cancelled", "lost",
    "expired",
)  # fmt: skip
WAIT_S = 25.0  #: of one request; longer waits ask again


@click.group("run", epilog="Example: cronclave run list --state failed")
def run() -> None:
    """Look at runs, follow their output, cancel them."""


run.add_command(run_explain)
for hand in (suspend, resume, release, override, hold, skip, retry, stop):
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
    else:
        show(form, found, (), list)


def show_run(found: dict[str, Any], waits_for: str = "") -> None:
    why = found.get("reason")
    kept_back = found.get("hold")
    facts(
        [
            ("run", found["id"]),
            ("job", f"{found['namespace']}/{found['job']}, revision {found['revision']}"),
            ("state", f"{with_warning(found)} ({why})" if why else with_warning(found)),
            *((("counts as", verdict_words(found["override"])),) if found.get("override") else ()),
            *((("kept back", hold_words(kept_back)),) if kept_back else ()),
            *((("the rest", _rest_words(found["rest"])),) if found.get("rest") else ()),
            *((("waits for", waits_for),) if waits_for else ()),
            ("cause", f"{found.get('cause')} {found.get('actor') or ''}".strip()),
            ("tick", found["tick"]),
            ("plan date", found.get("plan_date")),
            ("params", found.get("params")),
            ("started", found["started"]),
            ("finished", found["finished"]),
            ("exit code", found["exit_code"]),
        ]
    )
    rows: list[tuple[object, ...]] = []
    for name, task in found["tasks"].items():
        if not task["attempts"]:
            why = f"until {task['until']}" if task.get("until") else task.get("reason")
            why = hold_words(task["hold"]) if task.get("hold") else why
            rows.append((name, with_warning(task), "", "", "", "", task.get("started"), "", why))
        for attempt in task["attempts"]:
            state = f"{attempt['state']} unreachable" if attempt.get("unreachable") else attempt["state"]
            rows.append(
                (
                    name, with_warning(task), attempt["number"], state, attempt["agent"], attempt["zone"],
                    attempt["started"], attempt["exit_code"], attempt.get("reason"),
                )
            )  # fmt: skip
    click.echo()
    table(("task", "state", "attempt", "attempt state", "agent", "zone", "started", "exit", "reason"), rows)
    outputs = [
        (name, output, _shortened(value))
        for name, task in found["tasks"].items()
        for output, value in (task.get("outputs") or {}).items()
    ]
    if outputs:
        click.echo()
        table(("task", "output", "value"), outputs)


def _rest_words(rest: dict[str, Any]) -> str:
    why = f" ({rest['reason']})" if rest.get("reason") else ""
    return f"{rest['state']}{why}; what is done finally goes on"


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else str(value).lower()
    return text if len(text) <= VALUE_LETTERS_MAX else f"{text[:VALUE_LETTERS_MAX]}… ({len(text)} letters)"


@run.command(
    "logs",
    epilog=examples(
        "cronclave run logs 42",
        "cronclave run logs 42 --task extract -f  # until it has ended",
        "cronclave run logs 42 --attempt 1 > first.log",
    ),
)
@ID
@click.option("--task", metavar="NAME", help="One task only; all, one after the other, by default.")
@click.option("--attempt", type=click.IntRange(1), help="Number of the attempt; the latest by default.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run, or the task named, has ended.")
@click.option(
    "--raw/--no-raw", default=None, help="Byte for byte as the job wrote it: the default but on a terminal."
)
@connected
def logs(
    client: Client, run_id: int, task: str | None, attempt: int | None, follow: bool, raw: bool | None
) -> None:
    """Print the output of a run, from any node, live.

    A terminal gets text and colours (none with NO_COLOR); what else would drive it (cursor, title, clipboard,
    links) is left out. Pipes and files get every byte; with --no-raw they too get text and colours alone.
    Words about the output (the next attempt begins, bytes are not kept, what a run waits for) go to standard
    error. With -f, the exit code says how what was followed ended, as `run wait` does.
    """
    from cli.following import Reading, Screen, follow_run, need_success, show_tasks

    screen = Screen(raw=not sys.stdout.isatty() if raw is None else raw)
    found = client.get(path_of("runs", run_id))
    if task is not None and task not in found["tasks"]:
        raise Failure(f"run {run_id} has no task {task!r}", code=NOT_FOUND, details=sorted(found["tasks"]))
    if not follow:
        names = [task] if task is not None else list(found["tasks"])
        return show_tasks(client, screen, found, names, attempt)
    if task is not None:
        Reading(client, run_id, task, attempt, write=screen.write, note=screen.note).follow()
        screen.cut()
    else:
        follow_run(client, screen, run_id, attempt)
    need_success(client, run_id, task, attempt)


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


def need_good_end(found: dict[str, Any]) -> None:
    """Of a run that has ended. Raises Failure, with the exit code of its end."""
    if code := of_run(found):
        verdict = found.get("override")
        counts = f", and counts as {verdict['as']}" if verdict else ""
        raise Failure(f"run {found['id']} {found['state']}{counts}", code=code)


def until_ended(client: Client, run_id: int, timeout_s: float) -> dict[str, Any]:
    """The run once it has ended, or as it is when the time is over."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        left_s = max(0.001, min(WAIT_S, deadline_s - time.monotonic()))
        path = path_of("runs", run_id, wait=f"{int(left_s * 1000)}ms")
        found: dict[str, Any] = client.get(path, wait_s=left_s)
        if found["finished"] is not None or time.monotonic() >= deadline_s:
            return found


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
