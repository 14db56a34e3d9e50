"""`cronclave simulate`: what the days to come bring, and what changed files would."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cli.backup import copied
from cli.client import Client
from cli.examples import examples
from cli.exits import FAILED
from cli.instants import milliseconds, rfc3339
from cli.options import INSTANT, formatted, namespaced, reaching
from cli.output import counted, facts, show, table
from cli.processes import module_answer
from cli.progress import waiting

DAYS_MAX = 400


@click.command(
    "simulate",
    epilog=examples(
        "cronclave simulate --days 30",
        "cronclave simulate jobs/ --days 7  # exit code 1: they bring what was not there before",
        "cronclave simulate --state cronclave.db --lose zone-b --at 2026-12-24T00:00:00Z",
        "cronclave simulate --days 365 --tzdata tzdata-2026.6-py2.py3-none-any.whl  # which ticks move",
    ),
)
@click.argument("files", nargs=-1, type=click.Path(path_type=str), metavar="[FILE|FOLDER]...")
@click.option("--days", type=click.IntRange(1, DAYS_MAX), default=7, show_default=True, help="So many.")
@click.option(
    "--from", "start", type=INSTANT,
    help="Tell of the days from then on; what lies before is gone through.  [default: where the state ends]",
)
@click.option(
    "--state", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="BACKUP",
    help="By this backup, offline.  [default: the cluster as it is now]",
)  # fmt: skip
@click.option("--lose", metavar="ZONE", help="With --at: the agents of this zone are gone from then on.")
@click.option("--at", type=INSTANT, help="When.")
@click.option("--tzdata", metavar="VERSION|WHEEL", help="As if this zone data came into force.")
@click.option("--holidays", metavar="VERSION|WHEEL", help="As if calendars were computed by this one.")
@namespaced
@formatted
@reaching
def simulate(
    reach: Callable[[], Client], files: tuple[str, ...], days: int, start: datetime | None,
    state: Path | None, lose: str | None, at: datetime | None, tzdata: str | None, holidays: str | None,
    namespace: str, form: str,
) -> None:  # fmt: skip
    """What the days to come bring: the machine and the planner themselves, under a virtual clock.

    They work on a copy of the state that is thrown away. Tasks take what they usually take.

    Tells of many starts at once, ticks that are skipped, missed or late, tasks that wait for resources, and
    ticks while clocks change. With FILEs: as if these were applied first; the exit code is 1 where that
    brings something that was not there. With --tzdata or --holidays: which ticks move.
    """
    if (lose is None) != (at is None):
        raise click.UsageError("--lose and --at are given together")
    documents = _documents(files, namespace)
    with tempfile.TemporaryDirectory() as folder:
        copy = state
        if copy is None:
            copy = Path(folder) / "state.db"
            copied(reach(), copy)
        arguments = [str(copy), "--days", str(days), "--namespace", namespace]
        if documents:
            changes = Path(folder) / "changes.json"
            changes.write_text(json.dumps(documents))
            arguments += ["--changes", str(changes)]
        if lose is not None and at is not None:
            arguments += ["--lose", f"{lose}@{milliseconds(at)}"]
        if start is not None:
            arguments += ["--from", str(milliseconds(start))]
        for option, value in (("--tzdata", tzdata), ("--holidays", holidays)):
            arguments += [option, value] if value is not None else []
        far = Path(folder) / "far"
        arguments += ["--far", str(far)]
        through = f"going through {counted(days, 'day')}"
        with waiting(through, far=lambda: far.read_text() if far.exists() else ""):
            found = module_answer("node.forecast", *arguments)
    found["from"], found["to"] = rfc3339(found.pop("from_ms")), rfc3339(found.pop("to_ms"))
    if form == "table":
        _show(found)
    else:
        show(form, found, (), list)
    if found["new"]:
        raise click.exceptions.Exit(FAILED)


def _documents(files: Sequence[str], namespace: str) -> list[Any]:
    if not files:
        return []
    from cli.files import check, read_documents

    documents = read_documents(files)
    check(documents, namespace)
    return [document.data for document in documents]


def _show(found: dict[str, Any]) -> None:
    ticks = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found["ticks"].items()))
    facts(
        [
            ("from", found["from"]),
            ("to", found["to"]),
            *((package, f"{version}, as if it were in force") for package, version in found["by"].items()),
            ("ticks", ticks or "none"),
            *(
                (("no history", counted(found["without_history"], "task lasts 1s", "tasks last 1s")),)
                if found["without_history"]
                else ()
            ),
        ]
    )
    if found["findings"]:
        click.echo()
        rows = [
            (
                "new" if f"{each['kind']} {each['subject']}" in found["new"] else "",
                each["kind"],
                each["subject"],
                each["said"],
                each["hint"],
            )
            for each in found["findings"]
        ]
        table(("", "what", "where", "why", "what helps"), rows)
