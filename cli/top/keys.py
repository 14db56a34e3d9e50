"""Keys as they are pressed, on a terminal that is left as it was found."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pressed() -> Iterator[Keys]:
    """Without waiting for Enter, and without an echo. Ctrl-C still interrupts."""
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    try:
        tty.setcbreak(handle)
        yield Keys(handle)
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


class Keys:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def within(self, seconds: float) -> str:
        """What was pressed; empty: nothing. Raises EOFError when the terminal is gone."""
        ready, _, _ = select.select([self._handle], [], [], seconds)
        if not ready:
            return ""
        data = os.read(self._handle, 64)
        if not data:
            raise EOFError
        return data.decode(errors="replace")
