"""How long the loop was away: the time of each turn in which it looked at no socket.

A turn's time counts from when the loop should have woken to when it waits again, so that it covers both what
the loop itself did and what kept it from running (another thread with the interpreter's lock, a busy
machine). Elections follow 0.3 s of silence: turns over 0.1 s deserve a look. The reactor counts the processor
time of turns beside it: where that is short, the machine or its disk made the turn long.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

BOUNDS_S = (0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
WINDOW_S = 60.0


@dataclass(slots=True)
class Turns:
    """A histogram since the start, and the longest turn of late. Used by the loop's thread."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    """Turns up to each bound and above the one before; the last: above all."""
    total_s: float = 0.0
    _window: int = 0
    _longest_s: float = 0.0
    _longest_before_s: float = 0.0

    def add(self, took_s: float, now_s: float) -> None:
        self.counts[bisect_left(BOUNDS_S, took_s)] += 1
        self.total_s += took_s
        self._roll(now_s)
        if took_s > self._longest_s:
            self._longest_s = took_s

    def longest_s(self, now_s: float) -> float:
        """The longest of the last one to two minutes."""
        self._roll(now_s)
        return max(self._longest_s, self._longest_before_s)

    def _roll(self, now_s: float) -> None:
        window = int(now_s / WINDOW_S)
        if window != self._window:
            self._longest_before_s = self._longest_s if window == self._window + 1 else 0.0
            self._longest_s, self._window = 0.0, window
