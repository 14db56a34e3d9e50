"""The frame on a terminal, again and again, and what keys do to it."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from rich.console import Console
from rich.live import Live

from cli.client import Client
from cli.terminal import unguarded
from cli.top.frame import KEYS, VIEWS, fitted, frame
from cli.top.keys import Keys, pressed
from cli.top.looks import Look, Looker

DRAW_S = 0.5  #: how often the frame is drawn anew: its size and its age change as well
ENDS = ("q", "Q")  #: no Escape: arrows begin with it


def print_once(first: Look, width: int | None) -> None:
    console = Console(width=width, highlight=False, soft_wrap=False)
    console.print(frame(first, width=console.width))


def show(client: Client, first: Look, interval_s: float) -> None:
    """Until a key, Ctrl-C, a signal or the terminal's own end."""
    ends: list[int] = []  #: signals that came

    def end(number: int, _: FrameType | None) -> None:
        """Looked at between two frames: what is raised here is lost where Python is just clearing away."""
        ends.append(number)
        if len(ends) > 1:  # a frame that cannot be written holds the loop up
            raise SystemExit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, end)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a shell would get the terminal as it is now
    looker = Looker(client, first, interval_s)
    console = Console(file=unguarded(sys.stdout), highlight=False)
    with pressed() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            _draw_on(live, keys, looker, ends)
        except (EOFError, OSError):  # the terminal is gone: there is nobody to tell
            os._exit(128 + signal.SIGHUP)
    if ends and ends[0] != signal.SIGINT:
        raise SystemExit(128 + ends[0])


def _draw_on(live: Live, keys: Keys, looker: Looker, ends: list[int]) -> None:
    view, console = 0, live.console
    while not ends:
        look = looker.now
        note = f"HELD: space goes on · {KEYS}" if looker.is_held else KEYS
        old_s = time.monotonic() - look.at_s
        drawn = frame(look, width=console.width, view=VIEWS[view], note=note, old_s=old_s)
        live.update(fitted(console, drawn, console.height), refresh=True)
        for key in keys.within(DRAW_S):
            if key in ENDS:
                return
            if key == "\t":
                view = (view + 1) % len(VIEWS)
            elif key == " ":
                looker.is_held = not looker.is_held
                looker.again()
            elif key == "r":
                looker.again()
