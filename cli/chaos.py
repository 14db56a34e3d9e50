"""`cronclave chaos`: this process becomes the chaos harness, a program of its own."""

from __future__ import annotations

import importlib.util
import os

import click

from cli.exits import FAILED, Failure
from cli.processes import module_command, module_environment

NEEDED = ("cronsim", "requests", "toxiproxy")  #: what the extra `chaos` brings


@click.command(
    "chaos",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="Example: cronclave chaos run --profile smoke --seed 7 --out /tmp/chaos",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [OPTIONS]")
def chaos(arguments: tuple[str, ...]) -> None:
    """Break a cluster on purpose and judge what it did meanwhile.

    Commands: doctor, run, replay, check, shrink, report; `cronclave chaos COMMAND --help` tells more. Exit
    codes: 0 passed, 1 a violation, 2 invalid (too little happened to say anything), 3 this machine cannot run
    it.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Failure(
            f"the chaos harness needs packages that are not installed: {', '.join(missing)}",
            code=FAILED,
            hint="Install them: pip install 'cronclave[chaos]'.",
        )
    command = module_command("chaos", *(arguments or ("--help",)))
    os.execve(command[0], command, module_environment(os.environ))
