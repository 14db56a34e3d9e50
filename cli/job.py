"""`cronclave job`: definitions, manual runs, ticks."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from cli.apply import apply_files
from cli.bulk import bulk
from cli.client import Client, path_of
from cli.completing import job_names, namespaces
from cli.examples import examples
from cli.explain import job_explain
from cli.graph import job_graph
from cli.instants import milliseconds, rfc3339
from cli.job_backfill import job_backfill, job_backfill_cancel, job_backfills
from cli.job_edit import job_edit
from cli.job_export import job_export
from cli.job_reserved import job_reserved, job_unreserve
from cli.lazy import Group
from cli.options import (
    FILE_OR_FOLDER,
    INSTANT,
    JOB_STATES,
    SPAN,
    connected,
    consistency,
    formatted,
    namespaced,
    stale,
)
from cli.output import facts, more, show, with_warning
from cli.terminal import plain

LIMIT = click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="At most."
)
NAME = click.argument("name", shell_complete=job_names)


@click.group("job", cls=Group, epilog="Example: cronclave job apply jobs/ && cronclave job list")
def job() -> None:
    """Define jobs, run them, see what became of their ticks."""


job.add_command(job_explain)
job.add_command(job_edit)
job.add_command(job_export)
job.add_command(bulk)
job.add_command(job_backfill)
job.add_command(job_backfills)
job.add_command(job_backfill_cancel)
job.add_command(job_reserved)
job.add_command(job_unreserve)
job.add_command(job_graph)


@job.command(
    "apply",
    epilog=examples(
        "cronclave job apply backup.yaml  # create it, or change it",
        "cronclave job apply jobs/ --dry-run  # what would change",
        "cat jobs/*.yaml | cronclave job apply -",
        "cronclave job apply pipeline.py --dry-run  # what a file of Python defines",
    ),
)
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR|-…", type=FILE_OR_FOLDER)
@click.option("--dry-run", is_flag=True, help="Show what would change, and which ticks; change nothing.")
@namespaced
@formatted
@connected
def apply(client: Client, paths: tuple[str, ...], dry_run: bool, namespace: str, form: str) -> None:
    """Create or change the jobs of YAML or JSON files, all or none.

    They are checked here first; each mistake is told with file, line and column. A file of Python is
    evaluated here, in a process of its own: no node imports it.
    """
    apply_files(client, paths, namespace=namespace, dry_run=dry_run, form=form)


@job.command(
    "list",
    epilog=examples(
        "cronclave job list -q report  # names that contain this",
        "cronclave job list -l team=data --state paused -o json",
        "cronclave job list --failing  # whose last run failed, who failed last first",
        "cronclave job list --sort next --limit 20  # what comes next",
        "cronclave job list --stale  # without a leader, too",
    ),
)
@click.option("-n", "--namespace", metavar="NAME", help="Of one namespace only.", shell_complete=namespaces)
@click.option("-l", "--labels", metavar="K=V,…", help="Only jobs with all these labels.")
@click.option("--state", type=JOB_STATES, help="Only in this state.")
@click.option("-q", "--query", metavar="TEXT", help="Only names that contain this.")
@click.option("--criticality", metavar="WORD,…", help="Only minor, normal, major or critical ones.")
@click.option("--failing", is_flag=True, help="Only those whose last run failed.")
@click.option("--sort", type=click.Choice(["name", "next", "failing"]), help="By name, or what comes first.")
@LIMIT
@stale
@formatted
@connected
def list_(
    client: Client, namespace: str | None, labels: str | None, state: str | None, query: str | None,
    criticality: str | None, failing: bool, sort: str | None, limit: int, stale: bool, form: str,
) -> None:  # fmt: skip
    """List jobs with their state, last run and next tick."""
    path = path_of(
        "jobs", namespace=namespace, labels=labels, state=state, q=query, sort=sort,
        failing=failing, criticality=criticality, brief=form == "table", consistency=consistency(stale),
    )  # fmt: skip
    items, there_is_more = client.items(path, limit)
    columns = ("namespace", "job", "state", "last run", "last tick", "next tick", "revision")
    show(form, items, columns, lambda: [_job_row(item) for item in items])
    more(there_is_more, len(items))


def _show_effective(client: Client, name: str, namespace: str, found: dict[str, Any], form: str) -> None:
    from cli.effective import around_of, effective
    from scheduler.model.documents import load_yaml

    with client.open("GET", path_of("jobs", name, "definition", namespace=namespace)) as response:
        text = response.read().decode()
    (words,) = (document.data for document in load_yaml(text, name))
    told = effective(found, words) + around_of(client.get(path_of("namespaces", found["namespace"])))
    show(
        form, told, ("value", "is", "by"),
        lambda: [(each["value"], "null" if each["is"] is None else each["is"], each["by"]) for each in told],
    )  # fmt: skip


def _job_row(item: dict[str, Any]) -> tuple[object, ...]:
    last, tick = item.get("last_run") or {}, item.get("last_tick") or {}
    return (
        item["namespace"], item["job"], _state_word(item), with_warning(last) if last else None,
        tick.get("at"), item.get("next_tick"), item["revision"],
    )  # fmt: skip


@job.command(
    "get",
    epilog=examples(
        "cronclave job get nightly-report -o yaml | cronclave job apply -",
        "cronclave job get nightly-report --effective",
    ),
)
@NAME
@click.option("--definition", is_flag=True, help="Only the definition, without what the cluster tells of it.")
@click.option(
    "--effective", is_flag=True, help="Each value that holds, and whether the job or its namespace says so."
)
@namespaced
@stale
@formatted
@connected
def get(
    client: Client, name: str, definition: bool, effective: bool, namespace: str, stale: bool, form: str
) -> None:
    """Show one job. What -o yaml and -o json print, `job apply` takes."""
    path = path_of("jobs", name, namespace=namespace, consistency=consistency(stale))
    found = client.get(path)
    if effective:
        _show_effective(client, name, namespace, found, form)
        return
    if definition:
        revisions = client.get(path_of("jobs", name, "revisions", namespace=namespace, limit=1))
        found = revisions["items"][0]["definition"]
        form = "yaml" if form == "table" else form
    if form != "table":
        show(form, found, (), list)
        return
    last, tick = found.get("last_run") or {}, found.get("last_tick") or {}
    last_tick = (
        f"{tick['at']} {tick['outcome']}{f' ({why})' if (why := tick.get('reason')) else ''}" if tick else ""
    )
    facts(
        [
            ("job", f"{found['namespace']}/{found['job']}"),
            ("description", found.get("description")),
            ("owner", found.get("owner")),
            ("criticality", found["criticality"]),
            ("state", _state_text(found)),
            *[("paused by", _paused_text(pause)) for pause in found.get("paused_by") or ()],
            (
                "revision",
                f"{found['revision']}, changed {found.get('changed')} by {found.get('actor') or '-'}",
            ),
            *_left_behind(found),
            ("labels", found.get("labels")),
            ("triggers", "; ".join(_trigger_text(trigger) for trigger in found.get("triggers") or ())),
            ("params", list(found.get("params") or ())),
            ("tasks", list(found.get("tasks") or ())),
            ("policies", _flat(found.get("policies") or {})),
            ("next tick", found.get("next_tick")),
            ("last tick", last_tick),
            ("last run", f"{last['id']} {with_warning(last)}" if last else None),
            ("active runs", found.get("active_runs", 0)),
        ]
    )


def _state_word(found: dict[str, Any]) -> str:
    """Of one that its namespace's pause, or that of everything, keeps back: that too."""
    return f"{found['state']} (paused)" if _kept_back(found) else str(found["state"])


def _kept_back(found: dict[str, Any]) -> list[dict[str, Any]]:
    return (found.get("paused_by") or []) if found["state"] != "paused" else []


def _paused_text(pause: dict[str, Any]) -> str:
    what = f"namespace {pause['namespace']}" if pause["namespace"] else "everything"
    until = f" until {pause['until']}" if pause["until"] else ""
    return f"{what} is paused{until}: {pause['reason']}"


def _state_text(found: dict[str, Any]) -> str:
    if found["state"] == "unplaceable":
        return f"unplaceable: {found['unplaceable_reason']}"
    return f"{found['state']} {found.get('pause_reason') or ''}".strip()


def _trigger_text(trigger: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in trigger.items() if value not in (None, "", {}, []))


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            found[prefix + key] = value
    return found


@job.command("delete", epilog="Example: cronclave job delete nightly-report --yes")
@click.argument("names", nargs=-1, required=True, shell_complete=job_names)
@click.option("--yes", is_flag=True, help="Do not ask.")
@namespaced
@connected
def delete(client: Client, names: tuple[str, ...], yes: bool, namespace: str) -> None:
    """Delete jobs. Their history stays readable; what runs comes to its end, nothing of them starts any more,
    also no retry."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Delete {', '.join(names)} in namespace {namespace}?", abort=True)
    for name in names:
        client.delete(path_of("jobs", name, namespace=namespace))
        click.echo(f"{namespace}/{name} deleted")


@job.command(
    "run",
    epilog=examples(
        "cronclave job run greet --param name=you --wait",
        "cronclave job run close-books --plan-date 2026-12-31",
        "cronclave job run close-books --held --reason 'after the audit'  # it starts by: run release",
        "cronclave job run backup --wait --timeout 2h && echo done  # for scripts",
        "cronclave job run close-books --plan-date 2026-12-31 --closed  # though that date is closed",
        "cronclave job run backup --ignore-admission  # now, whatever policies.admission says",
    ),
)
@NAME
@click.option(
    "-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter; may be repeated."
)
@click.option(
    "--plan-date", metavar="DATE",
    help="The date that it is planned for, such as 2026-12-31; else the one that goes on.",
)  # fmt: skip
@click.option("--held", is_flag=True, help="It waits until it is released (run release).")
@click.option(
    "--ignore-admission", "any_time", is_flag=True, help="It waits for no admission window of the job."
)
@click.option("--closed", is_flag=True, help="Also for a plan date that is closed (plan close).")
@click.option("--reason", metavar="TEXT", help="Why, for the audit; of a held one it is shown with the run.")
@click.option("--wait", is_flag=True, help="Until the run has ended: the exit code is that of run wait.")
@click.option(
    "--timeout", type=SPAN, default="1h", show_default=True, help="With --wait: exit code 7 after this."
)
@click.option("--dry-run", is_flag=True, help="Show the parameters that the run would have.")
@namespaced
@formatted
@connected
def run(
    client: Client, name: str, params: tuple[str, ...], plan_date: str | None, held: bool, any_time: bool,
    closed: bool, reason: str | None, wait: bool, timeout: float, dry_run: bool, namespace: str, form: str,
) -> None:  # fmt: skip
    """Run a job now."""
    from cli.running import param_rows, say_what_it_waits_for, typed_params, wait_for

    given = typed_params(client, name, namespace, params) if params else {}
    body: dict[str, Any] = {"params": given, **({"plan_date": plan_date} if plan_date else {})}
    body |= {**({"held": True} if held else {}), **({"reason": reason} if reason else {})}
    body |= {**({"ignore_admission": True} if any_time else {}), **({"closed": True} if closed else {})}
    if dry_run:
        told = client.post(path_of("jobs", name, "runs", namespace=namespace, dry_run="true"), body)
        show(form, told, ("parameter", "value"), lambda: param_rows(told["params"]))
        return
    started = client.post(path_of("jobs", name, "runs", namespace=namespace), body)
    if not wait:
        if form == "table":
            click.echo(f"run {started['id']} {started['state']}")
            say_what_it_waits_for(client, started)
        else:
            show(form, started, (), list)
        return
    wait_for(client, started, timeout, form)


@job.command("pause", epilog="Example: cronclave job pause nightly-report --reason 'stocktaking' --until +2d")
@NAME
@click.option("--reason", default="", help="Why: it is shown wherever something waits for it.")
@click.option("--until", type=INSTANT, help="When it ends by itself.  [default: by a resume alone]")
@namespaced
@connected
def pause(client: Client, name: str, reason: str, until: datetime | None, namespace: str) -> None:
    """Pause a job: its ticks are skipped(paused) until it is resumed.

    A pause that stands gets this reason and end.
    """
    document = {"reason": reason} if reason else {}
    if until is not None:
        document["until"] = rfc3339(milliseconds(until))
    found = client.post(path_of("jobs", name, "pause", namespace=namespace), document or None)
    click.echo(f"{namespace}/{name} {found['pause_reason'] or 'paused'}")


@job.command("resume", epilog="Example: cronclave job resume nightly-report")
@NAME
@namespaced
@connected
def resume(client: Client, name: str, namespace: str) -> None:
    """Resume a job. Nothing is caught up."""
    client.post(path_of("jobs", name, "resume", namespace=namespace))
    click.echo(f"{namespace}/{name} resumed")


@job.command("next", epilog="Example: cronclave job next nightly-report --count 5")
@NAME
@click.option("--count", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
@namespaced
@formatted
@connected
def next_(client: Client, name: str, count: int, namespace: str, form: str) -> None:
    """The coming ticks of a job."""
    reply = client.get(path_of("jobs", name, "next", namespace=namespace, count=count))
    items = reply["items"]
    if form == "table" and not items:
        said = client.get(path_of("jobs", name, "explain", namespace=namespace))["said"]
        click.echo(f"{namespace}/{name}: {said or 'no tick is to come'} (cronclave job run {name})")
        return
    show(form, items, ("tick", "due", "trigger"), lambda: [(i["at"], i["due"], i["trigger"]) for i in items])
    for item in items:
        if said := item.get("changed"):
            click.echo(plain(f"the tick at {item['at']} {_said(said)}"), err=True)
    if reply.get("paused"):
        click.echo("the job is paused: these will be skipped", err=True)
    for pause in reply.get("pauses", ()):
        what = f"namespace {pause['namespace']}" if pause["namespace"] else "everything"
        these = f"these before {pause['until']}" if pause["until"] else "these"
        click.echo(plain(f"{what} is paused ({pause['reason']}): {these} will be skipped"), err=True)


def _said(changed: dict[str, Any]) -> str:
    """What a person has said of a tick."""
    acts = {"go": "has parameters of its own", "skipped": "is to be skipped"}
    to = f" to {changed['to']}" if changed["to"] else ""
    why = f": {changed['reason']}" if changed["reason"] else ""
    return f"{acts.get(changed['act'], 'is ' + changed['act'])}{to}{why}"


@job.command("history", epilog="Example: cronclave job history nightly-report --limit 20")
@NAME
@click.option("--state", metavar="STATE", help="Only runs in this state.")
@LIMIT
@namespaced
@formatted
@connected
def history(client: Client, name: str, state: str | None, limit: int, namespace: str, form: str) -> None:
    """The runs of a job, newest first."""
    from cli.run import RUN_COLUMNS, run_row

    items, there_is_more = client.items(path_of("runs", job=name, namespace=namespace, state=state), limit)
    if not items:  # tells an unknown job from one that never ran; of a deleted one the runs stay readable
        client.get(path_of("jobs", name, namespace=namespace))
    show(form, items, RUN_COLUMNS, lambda: [run_row(item) for item in items])
    more(there_is_more, len(items))


@job.command(
    "ticks",
    epilog=examples(
        "cronclave job ticks nightly-report  # of the last day",
        "cronclave job ticks nightly-report --from -2d --outcome missed",
    ),
)
@NAME
@click.option("--from", "start", type=INSTANT, default="-1d", show_default=True, help="After this instant.")
@click.option(
    "--to", "end", type=INSTANT, default="now", show_default=True, help="Up to and with this instant."
)
@click.option(
    "--outcome", type=click.Choice(["pending", "ran", "skipped", "coalesced", "missed"]), help="Only these."
)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="At most.")
@namespaced
@formatted
@connected
def ticks(
    client: Client, name: str, start: datetime, end: datetime, outcome: str | None, limit: int,
    namespace: str, form: str,
) -> None:  # fmt: skip
    """What became of each tick, from the ledger, oldest first."""
    path = path_of(
        "jobs", name, "ticks", namespace=namespace, outcome=outcome, from_=rfc3339(milliseconds(start)),
        to=rfc3339(milliseconds(end)),
    )  # fmt: skip
    items, there_is_more = client.items(path, limit)
    columns = ("tick", "outcome", "reason", "run", "decided", "epoch")
    show(
        form, items, columns,
        lambda: [
            (i["at"], i["outcome"], i.get("reason"), i.get("run"), i.get("decided_at"), i.get("epoch"))
            for i in items
        ],
    )  # fmt: skip
    more(there_is_more, len(items))


def _left_behind(found: dict[str, Any]) -> list[tuple[str, object]]:
    left = found.get("left_behind")
    if left is None:
        return []
    said = f"it cannot follow template {left['template']} since {left['since']}: {left['why']}"
    return [("left behind", said)]
