"""`cronclave notify`: what people were told, are to be told and are not told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import job_names, namespaces
from cli.examples import examples
from cli.instants import milliseconds, rfc3339
from cli.lazy import Group
from cli.options import INSTANT, connected, consistency, formatted, stale
from cli.output import more, show

STATES = ("open", "all", "waiting", "gathered", "sent", "given_up", "muted", "together")
ABOUTS = (
    "failed", "warned", "recovered", "missed", "skipped", "late", "at_risk", "long", "short", "stalled",
    "too_few", "waiting", "held", "output",
)  # fmt: skip
COLUMNS = (
    "effect", "about", "job", "run", "state", "to", "by", "failed", "next", "seen", "reason"
)  # fmt: skip


@click.group("notify", cls=Group, epilog="Example: cronclave notify list --state all")
def notify() -> None:
    """Who is told what: look, mute, acknowledge, send again."""


@notify.command(
    "list",
    epilog=examples(
        "cronclave notify list  # what waits to be sent, and what could not be",
        "cronclave notify list --state all --run 42  # was anybody told?",
        "cronclave notify list --state given_up -o json",
    ),
)
@click.option(
    "--state", type=click.Choice(STATES), default="open", show_default=True,
    help="open: to be sent, or given up; all: also what was sent, muted or told together.",
)  # fmt: skip
@click.option("--run", "run_id", type=click.IntRange(1), metavar="RUN", help="Of this run.")
@click.option(
    "-n", "--namespace", metavar="NAME", help="Of its jobs.  [default: of all]", shell_complete=namespaces
)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=500, show_default=True, help="At most.")
@stale
@formatted
@connected
def list_(
    client: Client, state: str, run_id: int | None, namespace: str | None, limit: int, stale: bool, form: str
) -> None:
    """List notices, newest first."""
    path = path_of(
        "outbox", state=state, run=run_id, namespace=namespace, newest="true", consistency=consistency(stale)
    )
    items, there_is_more = client.items(path, limit)
    show(form, items, COLUMNS, lambda: [_row(item) for item in items])
    more(there_is_more, len(items))


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    seen = item["acknowledged"]
    return (
        item["id"], item["about"], _whose(item), item["run"], item["state"], item["target"],
        item["route"] or item["channel"], item["attempts"], item["next"],
        f"{seen['by'] or 'somebody'} {seen['at']}" if seen else None, item["reason"],
    )  # fmt: skip


def _whose(item: dict[str, Any]) -> str:
    """Of its job; a digest and a test are of none."""
    return f"{item['namespace']}/{item['job']}" if item["job"] else str(item["namespace"])


@notify.command("resend", epilog="Example: cronclave notify resend 17")
@click.argument("effect", type=click.IntRange(1))
@connected
def resend(client: Client, effect: int) -> None:
    """Try it again now, also one that was given up: it has a day again."""
    found = client.post(path_of("outbox", str(effect), "resend"))
    click.echo(f"{effect} is sent to {found['target']}")


@notify.command("drop", epilog="Example: cronclave notify drop 17")
@click.argument("effect", type=click.IntRange(1))
@connected
def drop(client: Client, effect: int) -> None:
    """Never send it (again). A try that is under way may still arrive."""
    client.delete(path_of("outbox", str(effect)))
    click.echo(f"{effect} is dropped")


@notify.command(
    "acknowledge", epilog="Example: cronclave notify acknowledge 17 --until +4h --reason 'disk is full'"
)
@click.argument("effect", type=click.IntRange(1))
@click.option("--until", type=INSTANT, help="Until then nobody is told of the same of that job again.")
@click.option("--reason", metavar="TEXT", help="Why: it is in the audit, and with what is muted.")
@connected
def acknowledge(client: Client, effect: int, until: datetime | None, reason: str | None) -> None:
    """Say that you saw what it tells of: nobody else is told of it by escalation."""
    found = client.post(path_of("outbox", str(effect), "acknowledge"), _given(until, reason))
    click.echo(f"{found['about']} of {_whose(found)} is acknowledged")


@notify.command(
    "mute",
    epilog=examples(
        "cronclave notify mute nightly-report --until +2h --reason 'the database is moved'",
        "cronclave notify mute --namespace finance --about late --until +1d",
        "cronclave notify mute --everything --until +1h --reason 'zone-b is replaced'",
    ),
)
@click.argument("job", required=False, shell_complete=job_names)
@click.option("-n", "--namespace", metavar="NAME", help="Of this namespace.", shell_complete=namespaces)
@click.option("--everything", is_flag=True, help="Of all jobs of all namespaces.")
@click.option("--about", type=click.Choice(ABOUTS), help="This alone.")
@click.option("--until", type=INSTANT, required=True, help="When all are told again.")
@click.option("--reason", metavar="TEXT", help="Why: it is shown with what is muted.")
@connected
def mute(
    client: Client, job: str | None, namespace: str | None, everything: bool, about: str | None,
    until: datetime, reason: str | None,
) -> None:  # fmt: skip
    """Tell nobody, until an end: of a job, of a namespace or of everything."""
    if everything == bool(job or namespace):
        raise click.UsageError("give a job, --namespace NAME or --everything")
    given = {"job": job, "namespace": None if everything else namespace or "default", "about": about}
    said = {**{name: value for name, value in given.items() if value}, **_given(until, reason)}
    found = client.post(path_of("mutes"), said)
    click.echo(f"mute {found['id']}: nobody is told of {_of(found)} until {found['until']}")


def _of(mute: dict[str, Any]) -> str:
    whose = f"{mute['namespace']}/{mute['job'] or '*'}" if mute["namespace"] else "anything"
    return f"{mute['about']} of {whose}" if mute["about"] else whose


@notify.command("mutes", epilog="Example: cronclave notify mutes")
@click.option("-n", "--namespace", metavar="NAME", help="Of its jobs.", shell_complete=namespaces)
@stale
@formatted
@connected
def list_mutes(client: Client, namespace: str | None, stale: bool, form: str) -> None:
    """List mutes that stand, the first to end first."""
    items = client.get(path_of("mutes", namespace=namespace, consistency=consistency(stale)))["items"]
    show(
        form, items, ("mute", "of", "since", "until", "by", "reason"),
        lambda: [(i["id"], _of(i), i["since"], i["until"], i["by"], i["reason"]) for i in items],
    )  # fmt: skip


@notify.command("unmute", epilog="Example: cronclave notify unmute 812")
@click.argument("number", metavar="MUTE", type=click.IntRange(1))
@connected
def unmute(client: Client, number: int) -> None:
    """End a mute: all are told again. What was muted stays so."""
    client.delete(path_of("mutes", str(number)))
    click.echo(f"mute {number} is over")


@notify.command("receivers", epilog="Example: cronclave notify receivers")
@click.option("-n", "--namespace", metavar="NAME", help="Of its jobs.", shell_complete=namespaces)
@stale
@formatted
@connected
def receivers(client: Client, namespace: str | None, stale: bool, form: str) -> None:
    """List who takes nothing at present, since when and why."""
    items = client.get(path_of("receivers", namespace=namespace, consistency=consistency(stale)))["items"]
    show(
        form, items, ("receiver", "channel", "failed", "since", "last", "reason"),
        lambda: [
            (i["target"], i["channel"], i["failures"], i["since"], i["last"], i["reason"]) for i in items
        ],
    )  # fmt: skip


@notify.command("test", epilog="Example: cronclave notify test ops")
@click.argument("channel")
@click.option("-n", "--namespace", metavar="NAME", default="default", show_default=True, help="Where it is.")
@connected
def test(client: Client, channel: str, namespace: str) -> None:
    """Send something through a channel now, muted or not."""
    found = client.post(path_of("channels", channel, "test", namespace=namespace))
    numbers = ", ".join(map(str, found["effects"]))
    click.echo(f"sent as {numbers}: cronclave notify list --state all tells whether it arrived")


def _given(until: datetime | None, reason: str | None) -> dict[str, str]:
    said = {} if until is None else {"until": rfc3339(milliseconds(until))}
    return {**said, "reason": reason} if reason else said
