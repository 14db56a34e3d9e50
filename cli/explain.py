"""`cronclave job explain` and `cronclave run explain`: why something did not run, or not yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from cli.client import Client, path_of
from cli.completing import job_names, run_numbers
from cli.examples import examples
from cli.instants import milliseconds, rfc3339
from cli.options import INSTANT, connected, consistency, formatted, namespaced, stale
from cli.output import facts, show, table

COLUMNS = ("gate", "state", "why", "since", "opens")


def _row(gate: dict[str, Any]) -> tuple[object, ...]:
    opens = " ".join(filter(None, (gate["opens"], f"({at})" if (at := gate["opens_at"]) else "")))
    return (gate["gate"], gate["outcome"] or gate["state"], gate["reason"], gate["since"], opens)


@click.command("explain", epilog="Example: cronclave job explain nightly-report --at 2026-01-31T01:00:00Z")
@click.argument("name", shell_complete=job_names)
@click.option("--at", type=INSTANT, help="This instant; the next tick that is not decided by default.")
@namespaced
@stale
@formatted
@connected
def job_explain(
    client: Client, name: str, at: datetime | None, namespace: str, stale: bool, form: str
) -> None:
    """Why a tick of a job ran, did not, or will not: what became of it, or what it waits for."""
    moment = rfc3339(milliseconds(at)) if at else None
    found = client.get(
        path_of("jobs", name, "explain", namespace=namespace, at=moment, consistency=consistency(stale))
    )
    if form != "table":
        show(form, found, (), list)
        return
    if not found["ticks"]:
        near = " and ".join(filter(None, (found["before"], found["after"])))
        click.echo(f"{found['said']}{f'; nearest are {near}' if near else ''}")
        _show_chain(found)
    for number, tick in enumerate(found["ticks"]):
        if number:
            click.echo()
        _show_tick(tick)
    for awaited in found["awaits"]:
        click.echo()
        _show_awaited(awaited)
    for condition in found["conditions"]:
        click.echo()
        _show_condition(condition)


def _show_awaited(awaited: dict[str, Any]) -> None:
    """What would become of a delivery, a notice, or a file."""
    last = f"{awaited['last']}, {awaited['last_at']}" if awaited["last"] else "none"
    left = "waiting" if awaited["folder"] else "not heard yet"
    facts(
        [
            ("trigger", awaited["trigger"]),
            next((name, awaited[name]) for name in ("hook", "board", "folder") if awaited[name]),
            ("now", awaited["said"]),
            ("last", last),
            *(((left, awaited["left"]),) if awaited["left"] else ()),
            *((each["gate"], each["reason"]) for each in awaited["gates"] if each["state"] != "ready"),
        ]
    )
    if awaited.get("files"):
        click.echo()
        rows = [[each[name] for name in ("path", "seen", "state", "run", "why")] for each in awaited["files"]]
        table(("file", "seen", "state", "run", "why"), rows)


def _show_condition(condition: dict[str, Any]) -> None:
    """What an `after` or `all_of` trigger waits for, or what made a run."""
    ended = {each["job"]: each for each in condition["heard"]}
    heard = [
        f"{job}: run {each['run']} {each['state']}, {each['ended']}"
        + (f", the newest of {each['ends']} ends" if each["ends"] > 1 else "")
        for job, each in ended.items()
    ]
    day = condition["plan_date"]
    until = f"until {condition['until']}" if condition["until"] else "of which nothing has come"
    dated, lacks = (f"{day}, {until}", "lacks") if day else ("", "no end of")
    facts(
        [
            ("trigger", condition["trigger"]),
            ("after", condition["after"]),
            *((("plan date", dated),) if dated else ()),
            *((("before", condition["before"]),) if condition.get("before") else ()),
            ("is", _word(condition["value"]) + (", and waits for room" if condition["waits"] else "")),
            ("ended", "; ".join(heard) or "nothing that is not consumed"),
            *(((lacks, ", ".join(condition["lacks"])),) if condition["lacks"] else ()),
        ]
    )
    click.echo()
    _show_parts(condition["parts"])


def _show_parts(parts: Sequence[dict[str, Any]]) -> None:
    table(("part", "is"), [("  " * part["depth"] + part["text"], _word(part["value"])) for part in parts])


def _word(value: object) -> str:
    if value is None:
        return "unknown"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _show_tick(tick: dict[str, Any]) -> None:
    reason, jittered = tick["reason"], tick["due"] != tick["at"]
    facts(
        [
            ("tick", f"{tick['at']}, due {tick['due']}" if jittered else tick["at"]),
            ("trigger", tick["trigger"]),
            ("outcome", f"{tick['outcome']}({reason})" if reason else tick["outcome"]),
            ("why", tick["said"]),
            *((("run", tick["run"]),) if tick["run"] else ()),
            *((("into", tick["into"]),) if tick["into"] else ()),
            *((("decided", tick["decided_at"]),) if tick["decided_at"] else ()),
        ]
    )
    _show_chain(tick)
    if tick["run"] and tick["outcome"] == "pending":
        click.echo(f"\nwhat its tasks wait for: cronclave run explain {tick['run']}")


def _show_chain(told: dict[str, Any]) -> None:
    """From the definition to the outcome, and what helps."""
    if told["chain"]:
        click.echo()
        rows = [
            (
                "yes" if link["passed"] else "no",
                link["gate"],
                link["because"],
                link["at"],
                _refs(link["refs"]),
            )
            for link in told["chain"]
        ]
        table(("passed", "gate", "because", "at", "see"), rows)
    if told["help"]:
        click.echo(f"\nwhat helps: {told['help']}")


def _refs(refs: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in refs.items())


@click.command(
    "explain",
    epilog=examples("cronclave run explain 42", "cronclave run explain 42 --task rotate --member web-7"),
)
@click.argument("run_id", metavar="RUN", type=click.IntRange(1), shell_complete=run_numbers)
@click.option("--task", metavar="NAME", help="This task alone, ended or not.")
@click.option("--member", metavar="NAME", help="Of a task that is divided: this one.")
@stale
@formatted
@connected
def run_explain(
    client: Client, run_id: int, task: str | None, member: str | None, stale: bool, form: str
) -> None:
    """What a run waits for, and each of its tasks that has not ended."""
    if member is not None and task is None:
        raise click.UsageError("--member is of one task: name it with --task")
    path = path_of("runs", run_id, "explain", task=task, member=member, consistency=consistency(stale))
    found = client.get(path)
    if form != "table":
        show(form, found, (), list)
        return
    facts([("run", found["run"]), ("job", f"{found['namespace']}/{found['job']}"), ("state", found["state"])])
    _show_chain(found)
    if found["expected"]:
        click.echo()
        table(("expected",), [(said,) for said in found["expected"]])
    if found.get("told"):
        click.echo()
        table(
            ("told of", "to", "state", "at", "seen by", "reason"),
            [
                (i["about"], i["to"], i["state"], i["at"], i["acknowledged"], i["reason"])
                for i in found["told"]
            ],
        )
    rows = [row for task in found["tasks"] for row in _task_rows(task)]
    if rows:
        click.echo()
        table(("task", "state", *COLUMNS), rows)
    if found["more"]:
        said = f"… more tasks have not ended than these {len(found['tasks'])}"
        hint = f"run members {run_id} TASK lists those of a divided task, --task and --member explain one"
        click.echo(f"{said}: {hint}", err=True)
    if found["condition"]:
        click.echo()
        _show_condition(found["condition"])
    for when in found["whens"]:
        click.echo()
        facts([("task", when["task"]), ("when", when["when"]), ("is", _word(when["value"]))])
        click.echo()
        _show_parts(when["parts"])


def _task_rows(task: dict[str, Any]) -> list[tuple[object, ...]]:
    """The gates that are closed; of a task that nothing keeps, that."""
    closed = [_row(gate) for gate in task["gates"] if gate["state"] != "ready"]
    closed = closed or [("", "ready", "nothing keeps it", "", "")]
    of = f" ({task['member']})" if task["member"] else ""
    return [(f"{task['task']}{of}", task["state"], *row) for row in closed]
