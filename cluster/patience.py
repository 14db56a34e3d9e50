"""How long a follower waits for a leader that is silent while its link stands.

Rules:
1. `GAPS` times the longest gap between two words of a leader in the last half to whole minute: a machine or a
   network that stumbles is waited for longer, by whoever sees it stumble.
2. Never less than `patience_min_s` (four heartbeats, and twice the longest stall that was ever measured of a
   leader's loop at work), nor more than `patience_max_s`: a leader that is cut off steps down by itself then.
3. A leader that is new gets the whole election timeout at least, until it was followed for `SEASONED_S`.
4. Gaps are those of one office: from the last word of one to the first of the next there is an election.
"""

from __future__ import annotations

from cluster.library import NEVER_S, Clock
from cluster.settings import Timings

GAPS = 3.0
SEASONED_S = 5.0
WINDOW_S = 30.0


class Patience:
    def __init__(self, timings: Timings, clock: Clock) -> None:
        self._timings, self._now = timings, clock
        self._office: tuple[str, int] | None = None
        self._since = self._heard = NEVER_S
        self._window = 0
        self._longest_s = self._longest_before_s = 0.0

    def heard(self, leader: str, term: int) -> bool:
        """A leader's word came; whether it is the first of its office."""
        now = self._now()
        is_first = self._office != (leader, term)
        if is_first:
            self._office, self._since = (leader, term), now
        else:
            self._roll(now)
            self._longest_s = max(self._longest_s, now - self._heard)
        self._heard = now
        return is_first

    def seconds(self) -> float:
        now, timings = self._now(), self._timings
        self._roll(now)
        is_seasoned = now - self._since >= SEASONED_S
        least = timings.patience_min_s if is_seasoned else timings.election_min_s
        longest = max(self._longest_s, self._longest_before_s)
        return min(max(least, GAPS * longest), timings.patience_max_s)

    def _roll(self, now: float) -> None:
        window = int(now / WINDOW_S)
        if window != self._window:
            self._longest_before_s = self._longest_s if window == self._window + 1 else 0.0
            self._longest_s, self._window = 0.0, window
