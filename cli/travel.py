"""`cronclave state` and `cronclave diff --from`: the cluster as it was, and what became since.

The states are made by `python -m node.travel`; here is the talking.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from cli.backup import copied
from cli.client import Client
from cli.completing import namespaces
from cli.examples import examples
from cli.exits import CONFLICT, Failure
from cli.options import formatted, reaching
from cli.output import facts, printable, show, table
from cli.places import LATEST, PLACE, made_of
from cli.processes import module_answer
from cli.progress import waiting

SHOWN_MAX = 50  #: of each kind, on a terminal; -o json has all


@click.command(
    "state",
    epilog=examples(
        "cronclave state  # as it is now",
        "cronclave state --at 2026-12-01T06:00:00Z --data /var/lib/cronclave",
        "cronclave state --at 5120 --backup monday.db --data /var/lib/cronclave",
        "cronclave state --at -10m --data /var/lib/cronclave --save before.db  # as a backup",
    ),
)
@click.option("--at", type=PLACE, default="now", help="An index, an instant, or a backup.  [default: now]")
@made_of
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write that state as a backup, which restore and simulate take.",
)  # fmt: skip
@click.option(
    "-n", "--namespace", default="", metavar="NAME", shell_complete=namespaces, help="Of this one alone."
)
@formatted
@reaching
def state(
    reach: Callable[[], Client], at: str, backups: tuple[str, ...], data: str | None, save: Path | None,
    namespace: str, form: str,
) -> None:  # fmt: skip
    """The cluster as it was: jobs and what they refer to, runs that went on, agents, pauses.

    It is made of the latest backup before that place and of the log of a node, which keeps its last 64 MiB;
    of a log from which nothing was cut off yet without any backup. Nothing of the node is changed. Without
    --at it is the cluster as it is now, by its API.
    """
    if save is not None and save.exists():
        raise Failure(f"{save} exists already", code=CONFLICT, hint="Choose another name.")
    with tempfile.TemporaryDirectory() as folder:
        place = _known(reach, at, backups, data, Path(folder))
        arguments = ["--at", place, *(("--save", str(save)) if save else ())]
        with waiting("going back"):
            found = _answer("state", arguments, backups, data, namespace)
    if form != "table":
        show(form, found, (), list)
        return
    _show_state(found)


def show_difference(
    reach: Callable[[], Client], start: str, end: str | None, backups: tuple[str, ...], data: str | None,
    namespace: str, form: str,
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        first = _known(reach, start, backups, data, Path(folder))
        last = _known(reach, end or LATEST, backups, data, Path(folder))
        with waiting("going back"):
            found = _answer("diff", ["--from", first, "--at", last], backups, data, namespace)
    if form == "table":
        _show_difference(found)
    else:
        show(form, found, (), list)


def _known(
    reach: Callable[[], Client], place: str, backups: Sequence[str], data: str | None, folder: Path
) -> str:
    """What is latest is asked of the cluster, where no directory of a node is given."""
    if place == LATEST and data is None:
        copy = folder / "now.db"
        if not copy.exists():
            copied(reach(), copy)
        return f"file:{copy}"
    if not place.startswith("file:") and data is None and not backups:
        raise Failure(
            "nothing is given that reaches back",
            hint="Give the data directory of a node (--data), backups (--backup), or both.",
        )
    return place


def _answer(
    kind: str, arguments: Sequence[str], backups: Sequence[str], data: str | None, namespace: str
) -> Any:
    given = [word for file in backups for word in ("--backup", file)]
    given += ["--data", data] if data is not None else []
    return module_answer("node.travel", kind, *arguments, *given, "--namespace", namespace)


# -- what is shown --------------------------------------------------------------------------------


def _show_state(found: dict[str, Any]) -> None:
    counts = ", ".join(f"{count} {kind}" for kind, count in found["counts"].items())
    facts(
        [
            ("asked for", found["asked"]),
            ("index", found["index"]),
            ("at", found["at"]),
            ("made of", found["by"]),
            ("cluster", found["cluster"]),
            ("leader", f"{found['leader'] or 'none'}, epoch {found['epoch']}"),
            ("objects", counts or "none"),
            ("ticks", _outcomes(found["ticks"])),
            ("runs", f"{found['going']} went on"),
            *((("saved", found["saved"]),) if "saved" in found else ()),
        ]
    )
    _list(
        ("kind", "name", "revision", "state", "by", "since", "next tick"),
        (
            (
                e["kind"], _name(e), e["revision"], e["state"], e["actor"], e["changed"], e["next"] or "",
            )
            for e in found["objects"]
        ),
    )  # fmt: skip
    _list(
        ("run", "job", "state", "tick", "started"),
        ((e["run"], _job(e), e["state"], e["tick"], e["started"]) for e in found["runs"]),
    )
    _list(
        ("agent", "zone", "pool", "state", "slots", "busy"),
        ((e["agent"], e["zone"], e["pool"], e["state"], e["slots"], e["busy"]) for e in found["agents"]),
    )
    _list(("paused", "by", "until", "why"), map(_pause, found["pauses"]))


def _show_difference(found: dict[str, Any]) -> None:
    counts = found["counts"]
    for change in found["objects"]:
        for line in change["text"]:
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            click.echo(click.style(printable(line), fg=colour))
        old, new = change["state"]
        if old and new and old != new:
            click.echo(f"{change['kind']} {_name(change)}: {old}, then {new}")
        for by in change["by"]:
            act = "deleted" if by["deleted"] else f"revision {by['revision']}"
            click.echo(f"{act} by {printable(by['actor'])}, {by['at']}, index {by['index']}")
        click.echo()
    facts(
        [
            ("from", f"index {found['from']['index']}, {found['from']['at']}"),
            ("to", f"index {found['to']['index']}, {found['to']['at']}"),
            ("objects", _changes(found["objects"], counts["objects"])),
            ("runs", f"{counts['began']} began, {counts['ended']} ended"),
            ("ticks", _outcomes(found["ticks"])),
        ]
    )
    _list(
        ("ended", "job", "state", "exit", "tick", "finished"),
        (
            (
                e["run"], _job(e), e["state"] or "not kept any more",
                e.get("exit_code"), e.get("tick"), e.get("finished"),
            )
            for e in found["ended"]
        ),
    )  # fmt: skip
    going = {e["run"] for e in found["began"]} - {e["run"] for e in found["ended"]}
    _list(
        ("began", "job", "state", "tick", "created"),
        (
            (e["run"], _job(e), e["state"], e["tick"], e["created"])
            for e in found["began"]
            if e["run"] in going
        ),
    )
    _list(("agent", "was", "is"), ((e["agent"], e["from"], e["to"]) for e in found["agents"]))
    _list(("pause", "paused", "by", "until", "why"), ((e["change"], *_pause(e)) for e in found["pauses"]))
    _list(
        ("audit", "at", "by", "did", "what", "why"),
        (
            (
                e["id"], e["at"], e["actor"] or "a node", e["action"],
                f"{e['kind']} {_name(e)}" if e["name"] else e["kind"], e["reason"],
            )
            for e in found["audit"]
        ),
    )  # fmt: skip


def _name(named: dict[str, Any]) -> str:
    return f"{named['namespace']}/{named['name']}" if named["namespace"] else str(named["name"])


def _job(run: dict[str, Any]) -> str:
    return f"{run['namespace']}/{run['job']}"


def _pause(pause: dict[str, Any]) -> tuple[object, ...]:
    if pause["job"]:
        what = f"job {pause['namespace']}/{pause['job']}"
    else:
        what = f"namespace {pause['namespace']}" if pause["namespace"] else "everything"
    return what, pause["actor"], pause["until"], pause["reason"]


def _outcomes(ticks: dict[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in ticks.items()) or "none"


def _changes(changes: Sequence[dict[str, Any]], count: int) -> str:
    kinds = [each["change"] for each in changes]
    some = [kind for kind in ("added", "changed", "removed") if kind in kinds]
    told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in some)
    return f"{told}, {count} in all" if count > len(changes) else told or "none changed"


def _list(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The first of them; nothing where there are none."""
    listed = [tuple("" if value is None else value for value in row) for row in rows]
    if not listed:
        return
    click.echo()
    table(columns, listed[:SHOWN_MAX])
    if len(listed) > SHOWN_MAX:
        click.echo(f"… and {len(listed) - SHOWN_MAX} more: -o json has them", err=True)
