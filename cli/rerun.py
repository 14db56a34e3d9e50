"""`cronclave run rerun`: a run that has ended is repeated, as a whole or in part."""

from __future__ import annotations

from typing import Any

import click

from cli.client import Client, path_of
from cli.examples import examples
from cli.hands import ID
from cli.options import SPAN, connected, formatted
from cli.output import facts, show

NAMES_SHOWN = 10


@click.command(
    "rerun",
    epilog=examples(
        "cronclave run rerun 42 --from-failed  # what ended well is not done again",
        "cronclave run rerun 42 --from load --wait",
        "cronclave run rerun 42 --from-failed --revision latest  # with the job as it was mended",
        "cronclave run rerun 42 --until load -p region=us --dry-run",
    ),
)
@ID
@click.option("--from-failed", is_flag=True, help="Do again what did not end well, and what comes after it.")
@click.option("--from", "from_task", metavar="TASK", help="Do this task again, and what comes after it.")
@click.option("--until", "until_task", metavar="TASK", help="Leave out what does not come before this task.")
@click.option(
    "-p", "--param", "params", multiple=True, metavar="KEY=VALUE",
    help="A parameter that is to be another; may be repeated.",
)  # fmt: skip
@click.option(
    "--revision", metavar="REVISION", default="same", show_default=True,
    help="Of the job: same (with the vars that the run had), latest, or a number.",
)  # fmt: skip
@click.option("--after", is_flag=True, help="Jobs that wait for its end (after) hear of it.")
@click.option("--held", is_flag=True, help="It waits until it is released (run release).")
@click.option("--reason", metavar="TEXT", help="Why, for the audit; of a held one it is shown with the run.")
@click.option("--dry-run", is_flag=True, help="Say what would be done again, change nothing.")
@click.option("--wait", is_flag=True, help="Until the run has ended: the exit code is that of run wait.")
@click.option(
    "--timeout", type=SPAN, default="1h", show_default=True, help="With --wait: exit code 7 after this."
)
@formatted
@connected
def rerun(
    client: Client, run_id: int, from_failed: bool, from_task: str | None, until_task: str | None,
    params: tuple[str, ...], revision: str, after: bool, held: bool, reason: str | None, dry_run: bool,
    wait: bool, timeout: float, form: str,
) -> None:  # fmt: skip
    """Repeat a run that has ended.

    It is a new run, of the same tick and plan date, with the parameters of the old one but for those given.
    With --from-failed and --from, what ended well is taken over from the old run with its outputs, and not
    done again.
    """
    body: dict[str, Any] = {
        "from_failed": from_failed, "from": from_task, "until": until_task, "after": after, "held": held,
        "reason": reason, "revision": int(revision) if revision.isascii() and revision.isdigit()
        else revision,
    }  # fmt: skip
    if params:
        from cli.running import typed_params

        found = client.get(path_of("runs", run_id))
        body["params"] = typed_params(client, found["job"], found["namespace"], params)
    body = {name: value for name, value in body.items() if value not in (None, False, "same")}
    made = client.post(path_of("runs", run_id, "rerun", dry_run="true" if dry_run else None), body)
    if dry_run:
        return show_plan(made) if form == "table" else show(form, made, (), list)
    if wait:
        from cli.running import wait_for

        return wait_for(client, made, timeout, form)
    if form != "table":
        return show(form, made, (), list)
    taken = sum(task.get("taken_from") is not None for task in made["tasks"].values())
    told = f", with {taken} of {len(made['tasks'])} tasks taken over from run {run_id}" if taken else ""
    click.echo(f"run {made['id']} {made['state']}{told}")


def show_plan(plan: dict[str, Any]) -> None:
    def few(sort: str) -> str:
        names, number = plan[sort][:NAMES_SHOWN], plan["counts"][sort]
        more = f" and {number - len(names)} more" if number > len(names) else ""
        return f"{', '.join(names)}{more}" if names else "none"

    facts(
        [
            ("run", f"{plan['run']}, of {plan['namespace']}/{plan['job']}, revision {plan['revision']}"),
            ("params", plan["params"]),
            ("done again", few("anew")),
            ("taken over", few("taken")),
            ("left out", few("left_out")),
        ]
    )
