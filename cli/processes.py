"""`cronclave node` and `cronclave agent`: this process becomes that program."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cli.exits import USAGE, Failure

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


def module_answer(module: str, *arguments: str) -> Any:
    """The JSON that one of our programs prints; raises Failure with what it says of its own refusal."""
    import json
    import subprocess

    done = subprocess.run(
        module_command(module, *arguments),
        env=module_environment(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Failure(done.stderr.strip() or f"{module} ended with {done.returncode}")
    return json.loads(done.stdout)


def service_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The same for nodes and agents, without the caller's own way in: they need none, and what they run could
    read it at /proc/PID/environ.
    """
    return {name: value for name, value in module_environment(environment).items() if name not in CALLERS_OWN}


_CONFIG = click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, metavar="FILE",
    help="The TOML file with its settings.",
)  # fmt: skip


_MEANT = {"agent": "agents", "node": "cluster"}
"""The commands about what runs somewhere, which a word after the program's name asks for."""


class _Program(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-"):
            meant = _MEANT[str(self.name)]
            raise Failure(
                f"{self.name} runs the program itself and takes no {args[0]!r}",
                code=USAGE,
                hint=f"What is told and asked of one that runs: cronclave {meant} --help.",
            )
        return super().parse_args(ctx, args)


@click.command("node", cls=_Program, epilog="Example: cronclave node --config /etc/cronclave/node.toml")
@_CONFIG
def node(config: Path) -> None:
    """Run one scheduler node until it is stopped."""
    _become("node", config)


@click.command("agent", cls=_Program, epilog="Example: cronclave agent --config /etc/cronclave/agent.toml")
@_CONFIG
def agent(config: Path) -> None:
    """Run an agent until it is stopped. What it runs goes on and is reported when it is back."""
    _become("agent", config)


def _become(module: str, config: Path) -> None:
    # exec, no child: the service manager's signals and the exit code are the program's own.
    command = module_command(module, "--config", str(config.absolute()))
    os.execve(command[0], command, service_environment(os.environ))
