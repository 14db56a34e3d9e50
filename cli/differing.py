"""What an apply would change, before it does: the fields of each object, line by line, and a job's ticks."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from cli.client import Client, path_of
from cli.exits import Failure

ACTS = {"go": "with parameters", "held": "held", "skipped": "to be skipped", "moved": "moved"}
SHOWN_MAX = 20  #: objects of a dry run; `cronclave diff` shows the lines of all
TICKS_SHOWN = 3
DECIDE = ("triggers", "enabled")  #: of a job, which ticks it has
COUNT = 10  #: of coming ticks that are compared, as many as a dry run tells
Key = tuple[str, str, str]
"""Kind, namespace and name."""


def key_of(row: Mapping[str, Any]) -> Key:
    return row["kind"], row["namespace"], row["name"]


def show_new(row: Mapping[str, Any], new: dict[str, Any]) -> None:
    _show(row, None, new)


def show_change(client: Client, row: Mapping[str, Any], new: dict[str, Any]) -> None:
    _show(row, _stored(client, row), new)


def show_changes(
    client: Client,
    created: Sequence[Mapping[str, Any]],
    changed: Sequence[Mapping[str, Any]],
    new: Mapping[Key, dict[str, Any]],
    given: Mapping[Key, Any],
) -> None:
    """Of a dry run: the lines of what changes, and of these and of new jobs the ticks. `given`: the documents
    as they are sent."""
    for row in changed[:SHOWN_MAX]:
        key, old = key_of(row), _stored(client, row)
        _show(row, old, new[key])
        if row["kind"] == "job" and any(old.get(name) != new[key].get(name) for name in DECIDE):
            _show_ticks(client, row, _coming(client, row), given[key])
    if len(changed) > SHOWN_MAX:
        click.echo(f"… and {len(changed) - SHOWN_MAX} more that change: cronclave diff shows all", err=True)
    with_ticks = [row for row in created if row["kind"] == "job" and new[key_of(row)].get("triggers")]
    for row in with_ticks[:SHOWN_MAX]:
        _show_ticks(client, row, (), given[key_of(row)])
    if len(with_ticks) > SHOWN_MAX:
        left = len(with_ticks) - SHOWN_MAX
        click.echo(f"… and {left} more that are new, whose ticks are not shown", err=True)


def _stored(client: Client, row: Mapping[str, Any]) -> dict[str, Any]:
    from scheduler.model.objects.parsing import PLURALS
    from scheduler.model.server_facts import definition_of

    path = path_of(PLURALS[row["kind"]], row["name"], namespace=row["namespace"])
    return definition_of(client.get(path))


def _show(row: Mapping[str, Any], old: dict[str, Any] | None, new: dict[str, Any]) -> None:
    from scheduler.model.written import write_yaml

    def lines(shape: dict[str, Any] | None) -> list[str]:
        return [] if shape is None else write_yaml([_sorted(shape)], starts=False).splitlines()

    name = f"{row['kind']} {row['namespace']}/{row['name']}"
    titles = (f"{name}, revision {row['revision']}" if old else "/dev/null", f"{name}, new")
    for line in difflib.unified_diff(lines(old), lines(new), *titles, lineterm=""):
        _say(line, line[:1])


def _say(line: str, sign: str) -> None:
    click.echo(click.style(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(sign)))


def _sorted(value: Any) -> Any:
    """With its fields in one order, whoever wrote them."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


# -- ticks -----------------------------------------------------------------------------------------


def _coming(client: Client, row: Mapping[str, Any]) -> list[str]:
    found = client.get(path_of("jobs", row["name"], "next", namespace=row["namespace"], count=COUNT))
    return [tick["at"] for tick in found["items"]]


def _show_ticks(client: Client, row: Mapping[str, Any], old: Sequence[str], document: Any) -> None:
    path = path_of("jobs", row["name"], namespace=row["namespace"], dry_run=True)
    try:
        told = client.send("PUT", path, json.dumps(document).encode())
    except Failure:  # what it refers to comes with the same apply
        click.echo(f"ticks of {row['namespace']}/{row['name']}: known once what it refers to is there")
        return
    gone, come = moved(old, [tick["at"] for tick in told["next_ticks"]])
    for sign, instants in (("-", gone), ("+", come)):
        for instant in instants[:TICKS_SHOWN]:
            _say(f"{sign} tick {instant} of {row['namespace']}/{row['name']}", sign)


def show_moves(moves: Sequence[Mapping[str, Any]], *, is_cut: bool) -> None:
    """Ticks of other jobs that calendars or schedules move."""
    for move in moves[:SHOWN_MAX]:
        of = f"{move['namespace']}/{move['job']}, trigger {move['trigger']}"
        for sign, what in (("-", "gone"), ("+", "come")):
            for instant in move[what][:TICKS_SHOWN]:
                _say(f"{sign} tick {instant} of {of}", sign)
            if (more := move[f"{what}_count"] - len(move[what][:TICKS_SHOWN])) > 0:
                _say(f"{sign} … and {more} more within 400 days of {of}", sign)
        for instant in move.get("dropped", ()):
            _say(f"- what was said of tick {instant} of {of} is dropped", "-")
    if is_cut or len(moves) > SHOWN_MAX:
        click.echo("… and other triggers: -o json shows those that were looked at", err=True)


def show_dropped(dropped: Sequence[Mapping[str, Any]]) -> None:
    """What people said of single ticks that are none any more."""
    for each in dropped[:SHOWN_MAX]:
        said = each["changed"]
        by = f" by {said['actor']}" if said["actor"] else ""
        why = f": {said['reason']}" if said["reason"] else ""
        tick = f"{each['at']} of {each['namespace']}/{each['job']}, trigger {each['trigger']}"
        _say(f"- tick {tick}, {ACTS[said['act']]}{by}{why}: that is dropped", "-")
    if len(dropped) > SHOWN_MAX:
        click.echo("… and others: -o json shows them", err=True)


def show_follow(follow: Sequence[Mapping[str, Any]]) -> None:
    """Jobs that a changed template revises."""
    for each in follow[:SHOWN_MAX]:
        _say(f"~ {each['namespace']}/{each['job']}  follows template {each['template']}", "~")
    if len(follow) > SHOWN_MAX:
        click.echo("… and others: -o json shows them", err=True)


def moved(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """Which of the coming instants go, and which come: as far as both lists are known, each of which ends
    after `COUNT`, or where nothing comes any more."""
    ends = [max(each) for each in (old, new) if len(each) >= COUNT]
    until = min(ends, default="9999")
    return _without(old, new, until), _without(new, old, until)


def _without(ones: Iterable[str], others: Sequence[str], until: str) -> list[str]:
    return [each for each in ones if each not in others and each <= until]
