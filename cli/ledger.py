"""`cronclave verify`: the ledger against what was due. `cronclave ledger`: taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from cli.client import Client, path_of
from cli.examples import examples
from cli.exits import FAILED, Failure
from cli.exporting import exported
from cli.instants import milliseconds, rfc3339
from cli.lazy import Group
from cli.options import INSTANT, connected, formatted
from cli.output import counted, facts, printable, show
from cli.progress import waiting

VERIFY_S = 600.0
LOOK_S = 1.0


@click.group("ledger", cls=Group, epilog="Example: cronclave ledger export > ledger.jsonl")
def ledger() -> None:
    """Take the ledger out, to be kept and checked elsewhere."""


@ledger.command(
    "export",
    epilog=examples("cronclave ledger export", "cronclave ledger export --after 250000"),
)
@click.option("--after", type=click.IntRange(0), default=0, show_default=True, help="Behind this number.")
@connected
def export(client: Client, after: int) -> None:
    """Print the entries as lines of JSON, in their order. To go on later, give the last `seq`.

    Each line holds what its hash is made of; docs/guides/ledger.md has a checker that needs nothing but
    Python.
    """
    for line in exported(client, "ledger", "seq", after):
        click.echo(line)


@click.command(
    "verify",
    epilog=examples(
        "cronclave verify --from -1h",
        "cronclave verify --from 2026-11-01 --to 2026-12-01 -o json",
    ),
)
@click.option("--from", "start", type=INSTANT, default="-1d", show_default=True, help="After this instant.")
@click.option(
    "--to", "end", type=INSTANT, default="now", show_default=True, help="Up to and with this instant."
)
@formatted
@connected
def verify(client: Client, start: datetime, end: datetime, form: str) -> None:
    """Recompute which ticks were due and compare them with the ledger.

    Each due tick must have exactly one outcome, nothing else may be there, and the chain of hashes must be
    whole. Exit code 1 where it does not hold.
    """
    between = rfc3339(milliseconds(start)), rfc3339(milliseconds(end))
    path = path_of("ledger", "verify", from_=between[0], to=between[1])
    with waiting("what was due is computed anew", far=lambda: how_far(client, between)):
        result = client.get(path, wait_s=VERIFY_S)
    count = result.get("problem_count", len(result.get("problems", ())))
    if form != "table":
        show(form, result, (), list)
    else:
        facts(
            [
                ("from", result["from"]),
                ("to", result["to"]),
                ("index", result.get("index")),
                ("ledger head", str(result.get("ledger_head", ""))[:16]),
                ("due ticks", result.get("due")),
                ("ledger entries", result.get("entries")),
                ("of other causes", result.get("events")),
                ("undecided", result.get("undecided")),
                ("overdue", result.get("overdue")),
                *((f"  {name}", number) for name, number in sorted(result.get("outcomes", {}).items())),
                ("problems", count),
            ]
        )
    if count or result.get("ok") is False:
        problems = result.get("problems", ())
        details = [
            printable(" ".join(f"{key}={value}" for key, value in p.items() if value is not None))
            for p in problems
        ]
        named = "one problem" if count == 1 else f"{count} problems"
        raise Failure(f"{named}: the ledger does not agree with what was due", code=FAILED, details=details)
    if form == "table":
        click.echo(click.style("Each due tick has exactly one outcome; the chain is whole.", fg="green"))


def how_far(client: Client, between: tuple[str, str]) -> str:
    """By a connection of its own, of the node that is asked."""
    asker = Client(client.target.at(client.url), within_s=0.0, reply_s=LOOK_S)
    try:
        return words(asker.get(path_of("ledger", "proofs"))["items"], between)
    except Failure:
        return ""
    finally:
        asker.close()


def words(proofs: Sequence[Mapping[str, Any]], between: tuple[str, str]) -> str:
    """How far the proof of this range is."""
    for proof in proofs:
        if (proof["from"], proof["to"]) == between:
            if not proof["began"]:
                return "another proof comes first"
            return f"{proof['checked']:,} of {proof['entries']:,} entries, {counted(proof['due'], 'tick')}"
    return ""
