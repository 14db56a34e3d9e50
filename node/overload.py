"""When a leader declares that more is due than can be started, and when that is over.

Rules:

1. Being late is no overload: after an outage much is due at once, and is worked off. It is one when plan
   after plan holds all that it may, and the tick that is due longest is more than LATE_MS late, for
   SUSTAINED_S.
2. It is over when nothing was later than CALM_MS for as long.
3. What it means is in the state (`TellOverload`), so that a new leader, the ledger's readers and people see
   the same; a new leader goes by rule 2.
"""

from __future__ import annotations

LATE_MS = 2_000
CALM_MS = 1_000
SUSTAINED_S = 5.0


class OverloadWatch:
    """Of one office."""

    def __init__(self) -> None:
        self._since_s: float | None = None  #: of what would change the verdict

    def look(self, now_s: float, *, declared: bool, is_full: bool, late_ms: int) -> bool | None:
        """After each plan. True: declare it; False: it is over; None: it is as it was."""
        changes = late_ms < CALM_MS if declared else is_full and late_ms > LATE_MS
        if not changes:
            self._since_s = None
            return None
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s < SUSTAINED_S:
            return None
        self._since_s = None
        return not declared
