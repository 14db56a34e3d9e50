"""`cronclave events`: what happens, as it happens."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import click

from cli.client import Client, lines, path_of
from cli.examples import examples
from cli.options import connected
from cli.output import cell_text
from cli.terminal import escaped_json

AGAIN_S = 0.3
SILENCE_S = 60.0  #: the server sends something every 10 s


@click.command(
    "events",
    epilog=examples(
        "cronclave events  # everything, until Ctrl-C",
        "cronclave events --types run_ended,tick_decided -o json",
    ),
)
@click.option("--types", metavar="NAME,…", help="Only these, such as run_ended,tick_decided.")
@click.option("--after", metavar="ID", help="Begin after this event.")
@click.option("--count", type=click.IntRange(1), help="End after this many.")
@click.option(
    "-o", "--output", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json: one document a line.",
)  # fmt: skip
@connected
def events(client: Client, types: str | None, after: str | None, count: int | None, form: str) -> None:
    """Follow the cluster's events. A lost connection is taken up again on another node, without a gap."""
    seen = 0
    while True:
        response = client.open(
            "GET",
            path_of("events", types=types, after=after),
            headers={"Accept": "text/event-stream"},
            wait_s=SILENCE_S,
        )
        try:
            event: dict[str, str] = {}
            for line in lines(response):
                if line:
                    key, _, value = line.partition(":")
                    if key:
                        event[key] = value.removeprefix(" ")
                    continue
                if "data" in event:
                    after = event.get("id", after)
                    if event.get("event") == "reset":
                        click.echo("some events are gone from the history here", err=True)
                    elif event.get("event") != "hello":
                        _print(event, form)
                        seen += 1
                        if count is not None and seen >= count:
                            return
                event = {}
        except BrokenPipeError:
            raise  # whoever read our output has gone, such as head
        except (OSError, http.client.HTTPException):
            pass
        client.close()
        time.sleep(AGAIN_S)


def _print(event: dict[str, str], form: str) -> None:
    document: dict[str, Any] = json.loads(event["data"])
    name = event.get("event", "message")
    if form == "json":
        line = json.dumps({"id": event.get("id"), "event": name, **document}, ensure_ascii=False)
        click.echo(escaped_json(line))
        return
    at = document.pop("at", "")
    document.pop("index", None)
    rest = " ".join(f"{key}={cell_text(value)}" for key, value in document.items() if value not in (None, ""))
    click.echo(f"{at}  {click.style(name, bold=True)}  {rest}")
