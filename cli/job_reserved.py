"""`cronclave job reserved` and `job unreserve`: the ticks that an agent has in advance."""

from __future__ import annotations

import click

from cli.client import Client, path_of
from cli.completing import job_names
from cli.examples import examples
from cli.options import connected, formatted, namespaced
from cli.output import show

NAME = click.argument("name", shell_complete=job_names)


@click.command("reserved", epilog="Example: cronclave job reserved meter-readings")
@NAME
@namespaced
@formatted
@connected
def job_reserved(client: Client, name: str, namespace: str, form: str) -> None:
    """Which agent has ticks of a job in advance (policies.autonomy)."""
    found = client.get(path_of("jobs", name, "reserved", namespace=namespace))
    columns = ("agent", "connected", "ticks", "first", "until", "asked back")
    show(form, found, columns, lambda: [tuple(found[each.replace(" ", "_")] for each in columns)])


@click.command(
    "unreserve",
    epilog=examples(
        "cronclave job unreserve meter-readings",
        "cronclave job unreserve meter-readings --gone  # its agent's host was destroyed",
    ),
)
@NAME
@click.option("--gone", is_flag=True, help="Its agent surely runs nothing any more: what was due is lost.")
@namespaced
@connected
def job_unreserve(client: Client, name: str, gone: bool, namespace: str) -> None:
    """Ask an agent for the ticks of a job that it has in advance.

    It gives back what it has not started; for a minute no more are given. Where the agent is away what it
    has stays its own, unless a person says that it is gone for good.
    """
    path = path_of("jobs", name, "unreserve", namespace=namespace)
    told = client.post(path, {"gone": True} if gone else None)
    where = f"{namespace}/{name}"
    if gone:
        lost, back = told["lost"], told["given_back"]
        click.echo(f"{where}: {lost} ticks may have run and are lost, {back} go their usual way")
    elif not told["ticks"]:
        click.echo(f"{where}: nothing is reserved")
    else:
        away = "" if told["connected"] else ", which is away: it gives them back when it is here"
        click.echo(f"{where}: {told['ticks']} ticks are asked back from agent {told['agent']}{away}")
