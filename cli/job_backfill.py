"""`cronclave job backfill`: a job's runs for instants that are past."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import click

from cli import output
from cli.client import Client, path_of
from cli.completing import job_names
from cli.examples import examples
from cli.exits import RUN_CANCELLED, RUN_FAILED, TIMED_OUT, Failure
from cli.instants import milliseconds, rfc3339
from cli.options import INSTANT, SPAN, connected, formatted, namespaced
from cli.progress import bar

COLUMNS = (
    "id", "trigger", "from", "to", "state", "instants", "runs", "succeeded", "failed", "left out", "why",
)  # fmt: skip
POLL_S = 0.5
NAME = click.argument("name", shell_complete=job_names)
WHY = {
    "succeeded": "succeeded already",
    "going": "have a run that goes on",
    "coming": "are decided by themselves yet",
    "closed": "are of a closed plan date",
    "unknown": "have an outcome that nobody knows any more",
}


class DateOrInstant(click.ParamType[str]):
    """A plan date, or an instant."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            return rfc3339(milliseconds(INSTANT.convert(value, param, ctx)))


DATE_OR_INSTANT = DateOrInstant()


@click.command(
    "backfill",
    epilog=examples(
        "cronclave job backfill load --from 2026-03-01 --to 2026-03-31 --dry-run",
        "cronclave job backfill load --from 2026-03-01 --to 2026-03-31 --missing-only --max-active 4",
        "cronclave job backfill load --from 2026-03-01T06:00:00Z --to now --trigger hourly --wait",
    ),
)
@NAME
@click.option(
    "--from", "start", type=DATE_OR_INSTANT, required=True,
    help="The first plan date, such as 2026-03-01, or an instant, which is left out itself.",
)  # fmt: skip
@click.option("--to", "end", type=DATE_OR_INSTANT, required=True, help="The last plan date, or an instant.")
@click.option("--trigger", metavar="ID", help="Whose instants, where the job has several triggers.")
@click.option("--missing-only", is_flag=True, help="Leave out what has a run that succeeded.")
@click.option("--again", is_flag=True, help="Also what a backfill has made good before.")
@click.option("--closed", is_flag=True, help="Also for plan dates that are closed (plan close).")
@click.option(
    "--max-active", type=click.IntRange(1, 100), default=1, show_default=True, help="Runs at a time."
)
@click.option(
    "-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter; may be repeated."
)
@click.option("--reason", metavar="TEXT", help="Why: it is shown with it, and in the audit.")
@click.option("--dry-run", is_flag=True, help="Tell what would get a run, and what not; change nothing.")
@click.option("--wait", is_flag=True, help="Until it is over; exit code 10 where runs of it failed.")
@click.option(
    "--timeout", type=SPAN, default="24h", show_default=True, help="With --wait: exit code 7 after this."
)
@namespaced
@formatted
@connected
def job_backfill(
    client: Client, name: str, start: str, end: str, trigger: str | None, missing_only: bool, again: bool,
    closed: bool, max_active: int, params: tuple[str, ...], reason: str | None, dry_run: bool, wait: bool,
    timeout: float, namespace: str, form: str,
) -> None:  # fmt: skip
    """Run a job for past instants of its schedule, the oldest first: what was due before the job was
    there, was skipped or missed, or is to be done anew.

    Each run has the instant as its tick, and its plan date. What goes on, or is decided by itself yet,
    gets none. Runs of a backfill are in nobody's way, nor is anything in theirs: so many go on at a time.
    While the job is paused it stands still.
    """
    body: dict[str, Any] = {"from": start, "to": end, "max_active": max_active}
    flags = {"missing_only": missing_only, "again": again, "closed": closed}
    body |= {flag: True for flag, given in flags.items() if given}
    body |= {**({"trigger": trigger} if trigger else {}), **({"reason": reason} if reason else {})}
    if params:
        from cli.running import typed_params

        body["params"] = typed_params(client, name, namespace, params)
    path = path_of("jobs", name, "backfill", namespace=namespace, **({"dry_run": "true"} if dry_run else {}))
    told = client.post(path, body)
    if dry_run:
        _show_dry(told, form)
        return
    if wait:
        told = _wait(client, told, timeout)
    if form == "table":
        click.echo(_said(told))
    else:
        output.show(form, told, (), list)
    if wait and told["state"] != "going":
        code = RUN_CANCELLED if told["state"] == "cancelled" else RUN_FAILED if told["failed"] else 0
        raise SystemExit(code)


@click.command("backfills", epilog="Example: cronclave job backfills load")
@NAME
@namespaced
@formatted
@connected
def job_backfills(client: Client, name: str, namespace: str, form: str) -> None:
    """The backfills of a job and how far they are, the newest first."""
    items, _ = client.items(path_of("jobs", name, "backfills", namespace=namespace), 100)
    output.show(form, items, COLUMNS, lambda: [_row(item) for item in items])


@click.command(
    "backfill-cancel",
    epilog=examples(
        "cronclave job backfill-cancel load 4711",
        "cronclave job backfill-cancel load 4711 --runs  # also those that go on",
    ),
)
@NAME
@click.argument("backfill", type=click.IntRange(1))
@click.option("--runs", is_flag=True, help="Cancel its runs too that go on.")
@namespaced
@connected
def job_backfill_cancel(client: Client, name: str, backfill: int, runs: bool, namespace: str) -> None:
    """Let a backfill make no more runs."""
    path = path_of("jobs", name, "backfills", backfill, "cancel", namespace=namespace)
    click.echo(_said(client.post(path, {"runs": runs})))


def _wait(client: Client, told: dict[str, Any], timeout: float) -> dict[str, Any]:
    path = path_of("jobs", told["job"], "backfills", told["id"], namespace=told["namespace"])
    until_s, before = time.monotonic() + timeout, 0
    with bar(f"backfill {told['id']}", told["instants"]) as step:
        while told["state"] == "going":
            if time.monotonic() >= until_s:
                hint = f"It goes on: cronclave job backfills {told['job']} tells how far it is."
                raise Failure(f"not over within {timeout:.0f} s: {_said(told)}", code=TIMED_OUT, hint=hint)
            time.sleep(POLL_S)
            told = client.get(path)
            done = told["left_out"] + told["runs"] - told["active"]
            step(done - before)
            before = done
    return told


def _said(told: dict[str, Any]) -> str:
    parts = [output.counted(told["runs"], "run")]
    parts += [f"{told['succeeded']} succeeded", f"{told['failed']} failed"]
    parts += [f"{told['left_out']} left out"]
    why = f" ({told['why']})" if told["why"] else ""
    instants = output.counted(told["instants"], "instant")
    of = f"{told['namespace']}/{told['job']}, {instants} of {told['trigger']}"
    return f"backfill {told['id']} of {of}: {told['state']}{why}: {', '.join(parts)}"


def _show_dry(told: dict[str, Any], form: str) -> None:
    if form != "table":
        output.show(form, told, (), list)
        return
    of = f"{told['namespace']}/{told['job']}"
    instants = output.counted(told["instants"], "instant")
    click.echo(f"{told['runs']} of {instants} of {told['trigger']} of {of} would get a run")
    for why, number in told["left_out"].items():
        click.echo(f"  {number} {WHY.get(why, why)}")
    for instant in told["first"]:
        click.echo(instant)
    if told["runs"] > len(told["first"]):
        click.echo(f"… and {told['runs'] - len(told['first'])} more")
    for instant in told["unknown"]:
        click.echo(f"unknown: {instant}")


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    of = item["dates"] or item
    return (
        item["id"], item["trigger"], of["from"], of["to"], item["state"], item["instants"], item["runs"],
        item["succeeded"], item["failed"], item["left_out"], item["why"] or item["reason"],
    )  # fmt: skip
