"""Imported jobs sent to the cluster, beside those that it has of this source and of others.

Rules: nothing that an earlier import made runs beside what replaces it; what another source brought is never
touched; where it is not sure that a source is the same one as before, nothing is sent.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cli.client import Client, path_of
from cli.exits import USAGE, Failure
from cli.output import counted

if TYPE_CHECKING:
    from cli.files import Diff

Job = Mapping[str, Any]


class Beside(NamedTuple):
    """What the cluster has from sources of this kind beside the jobs that are sent."""

    own: set[str]  #: of this source
    replaced: list[str]  #: of this crontab: other jobs of the same command, whose lines are in the new ones
    left: list[str]  #: of this source: nothing of it is left there
    same: dict[str, int]  #: of other sources, by their names: how many do the same at the same times


def send(
    client: Client,
    jobs: Sequence[Job],
    namespace: str,
    source: str,
    *,
    kind: str,
    named: bool,
    dry_run: bool,
    prune: bool,
) -> None:
    """Apply the jobs, and tell or delete what the cluster has of this source beside them.

    `kind`: its format. `named`: the user said which source it is. Raises Failure.
    """
    from cli import files

    beside = _beside(client, jobs, namespace, kind, source)
    if jobs:
        _refuse_others_names(client, jobs, namespace, kind, source, beside)
    if not named:
        _refuse_another(client, jobs, namespace, kind, source, beside)
    if jobs:
        diff = _apply(client, jobs, namespace, f"{kind} {source}", dry_run=dry_run)
        files.show_diff(diff, dry_run=dry_run)
    deleted = "would be deleted" if dry_run else "deleted"
    for names, is_deleted, word in (
        (beside.replaced, True, f"{deleted}: its command is in the jobs above"),
        (beside.left, prune, deleted if prune else f"left the {_thing(kind)}"),
    ):
        for name in names:
            if is_deleted and not dry_run:
                client.delete(path_of("jobs", name, namespace=namespace))
            click.echo(click.style(f"- {namespace}/{name}  {word}", fg="red"))
    if beside.left and not prune:
        they = "it still runs" if len(beside.left) == 1 else "they still run"
        told = f"{counted(len(beside.left), 'job')} left the {_thing(kind)}, and {they}: --prune deletes"
        click.echo(told, err=True)
    for other, number in beside.same.items():
        click.echo(
            f"note: {kind} {other} has {counted(number, 'job')} that do the same at the same times: if it is "
            f"this {_thing(kind)} under another name, delete them, else both run",
            err=True,
        )


def _apply(client: Client, jobs: Sequence[Job], namespace: str, source: str, *, dry_run: bool) -> Diff:
    from cli import files

    return files.apply(client, jobs, namespace=namespace, dry_run=dry_run, source=source)


def _refuse_others_names(
    client: Client, jobs: Sequence[Job], namespace: str, kind: str, source: str, beside: Beside
) -> None:
    """A job of the same name that somebody else made is theirs."""
    changed = _apply(client, jobs, namespace, f"{kind} {source}", dry_run=True).changed
    theirs = sorted(job["name"] for job in changed if job["name"] not in beside.own)
    if theirs:
        more = f" and {len(theirs) - 3} more" if len(theirs) > 3 else ""
        raise Failure(
            f"{', '.join(theirs[:3])}{more} would be changed, and came from elsewhere; nothing was sent",
            hint=f"Jobs of this {_thing(kind)} carry the label {kind}: {source}. "
            "Import into another namespace (-n), or delete theirs.",
            code=USAGE,
        )


def _refuse_another(
    client: Client, jobs: Sequence[Job], namespace: str, kind: str, source: str, beside: Beside
) -> None:
    """Another host's file may have the same name: it must not take the first one's jobs."""
    changed = len(_apply(client, jobs, namespace, f"{kind} {source}", dry_run=True).changed) if jobs else 0
    others = len(beside.replaced) + len(beside.left)
    if changed or others:
        raise Failure(
            f"the cluster has jobs of a {_thing(kind)} {source!r}, and this one differs: {changed} would be "
            f"changed, {others} not in it; nothing was sent",
            hint=f"If it is the same {_thing(kind)}, edited: --source {source}. "
            "Another host's: a name of its own.",
            code=USAGE,
        )


def _thing(kind: str) -> str:
    return "crontab" if kind == "crontab" else "source"


def _beside(client: Client, jobs: Sequence[Job], namespace: str, kind: str, source: str) -> Beside:
    from cli.importing.formats.crontab import family as crontab_family

    def family(name: str) -> str:
        return crontab_family(name) if kind == "crontab" else name

    there, _ = client.items(path_of("jobs", namespace=namespace, labels=f"source={kind}"), sys.maxsize)
    names = {job["job"] for job in jobs}
    families = {family(name) for name in names}
    due = {does: set(_times(job)) for job in jobs if (does := _does(job))}
    own: set[str] = set()
    replaced: list[str] = []
    left: list[str] = []
    same: dict[str, int] = {}
    for job in there:
        whose = job["labels"].get(kind, "")
        if whose == source:
            own.add(job["name"])
            if job["name"] not in names:
                (replaced if family(job["name"]) in families else left).append(job["name"])
        elif due.get(_does(job), set()) & set(_times(job)):
            same[whose] = same.get(whose, 0) + 1
    return Beside(own, sorted(replaced), sorted(left), same)


def _does(job: Job) -> str:
    """What command it runs and where: the same one in two pools is two hosts' work. Empty: none."""
    task = job["tasks"].get("main", {}) if "tasks" in job else job
    pool = task.get("on", {}).get("pool", "default")
    if not (task.get("run") or task.get("exec")):
        return ""
    return repr((pool, job["labels"].get("user", ""), task.get("run"), task.get("exec"), task.get("stdin")))


def _times(job: Job) -> Iterable[tuple[str, str]]:
    triggers = job.get("triggers", ())
    return [(trigger["cron"], trigger.get("tz", "UTC")) for trigger in triggers if "cron" in trigger]
