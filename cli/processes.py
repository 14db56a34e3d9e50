"""`cronclave node` and `cronclave agent`: this process becomes that program."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

CALLERS_OWN = ("CRONCLAVE_TOKEN", "CRONCLAVE_URL")
ROOT = Path(__file__).resolve().parent.parent


def module_command(module: str, *arguments: str) -> list[str]:
    """How to start one of our programs."""
    return [sys.executable, "-m", module, *arguments]


def module_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which `python -m node` is our node, whatever folders the working directory holds."""
    path = environment.get("PYTHONPATH")
    return {
        **environment,
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT),
    }


def service_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The same for nodes and agents, without the caller's own way in: they need none, and what they run could
    read it at /proc/PID/environ.
    """
    return {name: value for name, value in module_environment(environment).items() if name not in CALLERS_OWN}


_CONFIG = click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, metavar="FILE",
    help="The TOML file with its settings.",
)  # fmt: skip


@click.command("node", epilog="Example: cronclave node --config /etc/cronclave/node.toml")
@_CONFIG
def node(config: Path) -> None:
    """Run one scheduler node until it is stopped."""
    _become("node", config)


@click.command("agent", epilog="Example: cronclave agent --config /etc/cronclave/agent.toml")
@_CONFIG
def agent(config: Path) -> None:
    """Run an agent until it is stopped. What it runs goes on and is reported when it is back."""
    _become("agent", config)


def _become(module: str, config: Path) -> None:
    # exec, no child: the service manager's signals and the exit code are the program's own.
    command = module_command(module, "--config", str(config.absolute()))
    os.execve(command[0], command, service_environment(os.environ))
