"""`cronclave doctor`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from cli.client import Client, watch
from cli.doctor import configured, disk, machine, reached
from cli.doctor.findings import COLOURS, FAULT, OK, WARNING, Finding, worst_of
from cli.examples import examples
from cli.exits import FAILED, USAGE, Failure
from cli.options import formatted, naming
from cli.output import counted, printable, show

WITHIN_S = 3.0
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "doctor",
    epilog=examples(
        "cronclave doctor  # this machine, and the cluster if one is named",
        "cronclave doctor --node /etc/cronclave/node.toml",
        "cronclave doctor --context prod --json",
    ),
)  # fmt: skip
@click.option("--node", type=_FILE, metavar="FILE", help="Look at the node with this configuration, too.")
@click.option("--agent", type=_FILE, metavar="FILE", help="Look at the agent with this configuration, too.")
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="The disk of this folder.  [default: this one, without --node and --agent]",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings, too.")
@click.option("--json", "is_json", is_flag=True, help="As -o json.")
@formatted
@naming
def doctor(
    node: Path | None, agent: Path | None, data: Path | None, strict: bool, is_json: bool, form: str,
    url: str | None, token: str | None, context: str | None,
) -> None:  # fmt: skip
    """What is wrong here and with the cluster, each with what to do about it.

    Looks at this machine, at a node or an agent by its file, and at the cluster, if one is named; without one
    in reach the rest is looked at all the same. Changes nothing. Exit code 1 where there is a fault.
    """

    def reach() -> Client:
        return watch(url, token, context, WITHIN_S)

    if url and context:
        raise Failure("--url and --context both name a cluster", code=USAGE, hint="Give one.")
    found = [
        machine.interpreter(), machine.clock(), machine.time_zones(datetime.now(UTC).year),
        machine.open_files(), machine.user(),
    ]  # fmt: skip
    if node:
        found += configured.node(node)
    if agent:
        found += configured.agent(agent)
    if data or not (node or agent):
        folder = data or Path.cwd()
        found += [disk.room(folder), disk.syncs(folder)]
    found += reached.cluster(reach)
    worst = worst_of(found)
    is_well = worst != FAULT and not (strict and worst == WARNING)
    form = "json" if is_json else form
    if form == "table":
        _tell(found)
    else:
        show(form, {"ok": is_well, "findings": [asdict(each) for each in found]}, (), list)
    if not is_well:
        raise click.exceptions.Exit(FAILED)


def _tell(found: list[Finding]) -> None:
    checks = max(len(each.check) for each in found)
    for each in found:
        verdict = click.style(each.verdict.ljust(7), fg=COLOURS[each.verdict], bold=each.verdict == FAULT)
        click.echo(f"{verdict}  {each.check.ljust(checks)}  {printable(each.said)}")
        if each.fix:
            click.echo(f"{'':9}{'':{checks}}  → {printable(each.fix)}")
    counts = Counter(each.verdict for each in found)
    said = ", ".join(counted(counts[verdict], verdict) for verdict in (FAULT, WARNING))
    click.echo(f"\n{said}; {counts[OK]} of {len(found)} well")
