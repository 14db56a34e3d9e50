"""`cronclave top`."""

from __future__ import annotations

import os
import sys

import click

from cli.examples import examples
from cli.exits import NO_LEADER, USAGE, Failure
from cli.options import SPAN, naming

WITHIN_S = 3.0


@click.command(
    "top",
    epilog=examples(
        "cronclave top --interval 5s",
        "cronclave top --once --width 60  # one frame, for a script or a phone",
    ),
)
@click.option("--interval", type=SPAN, default="2s", show_default=True, help="Between two looks.")
@click.option("--once", is_flag=True, help="Print one frame and end; exit code 6 where there is no quorum.")
@click.option("--width", type=click.IntRange(20, 1_000), help="With --once: so wide.  [default: the"
" terminal's]")
@naming
def top(
    interval: float, once: bool, width: int | None, url: str | None, token: str | None, context: str | None
) -> None:
    """The cluster live on a terminal: nodes and quorum, what to look at first, what runs, who works.

    Keys: q ends, tab shows one part (attention, runs, zones) or all, space holds the frame, r looks now. What
    it shows first is what is late, failing, waiting or out of reach, each with the command that tells more.
    """
    from cli.client import watch
    from cli.top.looks import look

    if not once and not (sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"):
        raise Failure("top draws on a terminal, and this is none", code=USAGE, hint="--once prints one"
        " frame.")
    if width is not None and not once:
        raise Failure("--width goes with --once", code=USAGE, hint="On a terminal it is as wide as that.")
    client = watch(url, token, context, WITHIN_S)
    first = look(client)
    from cli.top import screen

    if not once:
        screen.show(client, first, interval)
        return
    screen.print_once(first, width)
    if not first.cluster["quorum"]:
        raise Failure("there is no quorum", code=NO_LEADER, hint="cronclave cluster status says what to do.")
