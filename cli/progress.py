"""How far long work is, for a person at a terminal.

Rules: it is shown on standard error, when that is a terminal, and nowhere else: pipes, files and scripts get
what they always got. Nothing is shown of what is over within a second. When the work ends, in any way, the
line is gone or whole, and the cursor is there.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from cli.output import printable
from cli.terminal import unguarded

SAY_S = 1.0
STEPS = 200  #: of a bar, at most

Step = Callable[[int], None]


def _is_watched() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def bar(label: str, length: int, *, say_s: float = SAY_S) -> Iterator[Step]:
    """Gives what is told of each part that is done."""
    if not _is_watched() or length <= 0:
        yield lambda done: None
        return
    begun_s, before = time.monotonic(), 0
    least, stream = -(-length // STEPS), unguarded(sys.stderr)
    shown = click.progressbar(length=length, label=printable(label), file=stream, update_min_steps=least)
    entered = False

    def step(done: int) -> None:
        nonlocal before, entered
        before += done
        if entered:
            shown.update(done)
        elif time.monotonic() - begun_s >= say_s and before < length:
            entered = True
            shown.__enter__()
            shown.update(before)

    try:
        yield step
    finally:
        if entered:
            shown.__exit__(None, None, None)


@contextmanager
def waiting(label: str, *, far: Callable[[], str] = str, say_s: float = SAY_S) -> Iterator[None]:
    """Of work elsewhere: how long it has taken, and how far it is by what `far` asks in a thread of its own;
    empty: nobody knows."""
    if not _is_watched():
        yield
        return
    over, stream, text = threading.Event(), unguarded(sys.stderr), printable(label)

    def tell() -> None:
        begun_s = time.monotonic()
        while not over.wait(say_s):
            how_far = printable(far())
            stream.write(f"\r{text} … {time.monotonic() - begun_s:.0f} s  {how_far}\x1b[K")
            stream.flush()

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
        stream.write("\r\x1b[K")
        stream.flush()
