"""`cronclave config`: the settings of this command, of a node, of an agent, and who says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cli.client import WITHIN_S
from cli.completing import WITHIN_S as COMPLETE_WITHIN_S
from cli.contexts import contexts_file
from cli.examples import examples
from cli.exits import USAGE, Failure
from cli.lazy import Group
from cli.options import formatted, naming
from cli.output import show
from cli.processes import module_answer
from cli.target import UnnamedError, find_target
from settings.origins import DEFAULT, HIDDEN, Lines

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
VARIABLES = (
    ("retry", "CRONCLAVE_RETRY", f"{WITHIN_S:g}s"),
    ("complete_within", "CRONCLAVE_COMPLETE_WITHIN", f"{COMPLETE_WITHIN_S:g}s"),
    ("insecure", "CRONCLAVE_INSECURE", "false"),
    ("no_color", "NO_COLOR", None),
)


@click.group("config", cls=Group, epilog="Example: cronclave config show --origin")
def config() -> None:
    """See with which settings programs work here."""


@config.command(
    "show",
    epilog=examples(
        "cronclave config show --origin  # which cluster, and who says so",
        "cronclave config show --node /etc/cronclave/node.toml --origin",
    ),
)
@click.option("--node", type=_FILE, metavar="FILE", help="Those of the node with this configuration.")
@click.option("--agent", type=_FILE, metavar="FILE", help="Those of the agent with this configuration.")
@click.option("--origin", is_flag=True, help="Say for each where it comes from.")
@formatted
@naming
def show_(
    node: Path | None, agent: Path | None, origin: bool, form: str, url: str | None, token: str | None,
    context: str | None,
) -> None:  # fmt: skip
    """The settings of this command, of a node or of an agent. Secrets stay hidden.

    The origin of a value is a line of a file, a variable of the environment, an option, or `default`. Nodes
    and agents are told by what they would read in this environment; a service may have another one.
    """
    if node and agent:
        raise Failure("--node and --agent exclude each other", code=USAGE, hint="Ask once for each.")
    if node or agent:
        found = module_answer("node.shown" if node else "agent.shown", "--config", str(node or agent))
    else:
        found = list(_own(url, token, context))
    columns = ("setting", "value", "origin") if origin else ("setting", "value")
    rows = [{key: each[key] for key in columns} for each in found]
    show(form, rows, columns, lambda: [tuple(map(_written, each.values())) for each in rows])


def _written(value: Any) -> Any:
    """As it is written in a file."""
    return str(value).lower() if isinstance(value, bool) else value


def _own(url: str | None, token: str | None, context: str | None) -> Iterator[dict[str, Any]]:
    """What a command that is given here would work with. Raises Failure."""
    try:
        target = find_target(url, token, context)
    except UnnamedError:
        yield _row("url", None, "nothing names a cluster here")
    else:
        yield _row("url", ",".join(target.urls), _place(target.source, "url"))
        yield _row("token", HIDDEN if target.token else None, _place(target.token_source, "token"))
        yield _row("ca", target.ca or None, _place(target.ca_source, "ca"))
    for name, variable, default in VARIABLES:
        told = os.environ.get(variable)
        yield _row(name, told or default, variable if told else DEFAULT)


def _row(setting: str, value: str | None, origin: str) -> dict[str, Any]:
    return {"setting": setting, "value": value, "origin": origin}


def _place(source: str, key: str) -> str:
    """A context's is a line of their file."""
    if not source.startswith("context "):
        return source or DEFAULT
    name = source.removeprefix("context ").partition(":")[0]
    path = contexts_file()
    lines = Lines(path.read_text(encoding="utf-8"))
    found = lines.of(["contexts", name, key]) or lines.of(["contexts", name, f"{key}_file"])
    return f"{path}:{found}" if found else str(path)
