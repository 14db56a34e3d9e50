"""How fast one token may bring agents that the cluster does not know.

Each is a row that stays. A token that leaked, or a host whose data directory is wiped at each start, must not
fill the state. An agent that is known is never held up; a new one that comes too early is told to come again,
and does. Counted on each node by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable

BURST = 500
RATE_PER_S = 50.0
TOKENS_MAX = 1_000  #: remembered


class Newcomers:
    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._left: dict[str, tuple[float, float]] = {}  #: token → (how many were left, when)

    def why_not_now(self, token: str) -> tuple[str, str] | None:
        """(reason of the Leave, detail), or None: one more may register by it, and is counted."""
        now_s = self._now_s()
        left = self._left_of(token, now_s)
        if left < 1:
            return "refused", (
                f"token {token} brings more than {RATE_PER_S:.0f} new agents a second, "
                f"beyond the first {BURST}: try again later"
            )
        self._left[token] = (left - 1, now_s)
        if len(self._left) > TOKENS_MAX:
            self._left = {name: had for name, had in self._left.items() if self._left_of(name, now_s) < BURST}
        return None

    def _left_of(self, token: str, now_s: float) -> float:
        left, since_s = self._left.get(token, (float(BURST), now_s))
        return min(float(BURST), left + (now_s - since_s) * RATE_PER_S)
