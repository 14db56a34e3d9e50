"""When a leader declares that more is due than can be started, and when that is over.

Rules:

1. Being late is no overload: after an outage much is due at once, and is worked off. It is one when plan
   after plan holds all that it may, and the tick that is due longest is more than LATE_MS late, for
   SUSTAINED_S.
2. It is one at once where more ticks are late than full plans fire in two seconds: after a long outage of
   many frequent jobs those of the whole grace would stand before the present ones.
3. It is over when nothing was later than CALM_MS for as long.
4. What it means is in the state (`TellOverload`), so that a new leader, the ledger's readers and people see
   the same; a new leader goes by rule 3.
"""

from __future__ import annotations

from collections.abc import Callable

LATE_MS = 2_000
CALM_MS = 1_000
SUSTAINED_S = 5.0
LATE_TICKS_MAX = 4_000  #: half the commands of eight plans, each of which may take a quarter of a second


class OverloadWatch:
    """Of one office."""

    def __init__(self) -> None:
        self._since_s: float | None = None  #: of what would change the verdict

    def look(
        self, now_s: float, *, declared: bool, is_full: bool, late_ms: int, late_ticks: Callable[[], int]
    ) -> bool | None:
        """After each plan. True: declare it; False: it is over; None: it is as it was. How many ticks are
        late is asked where a full plan is late, and not else."""
        changes = late_ms < CALM_MS if declared else is_full and late_ms > LATE_MS
        if not changes:
            self._since_s = None
            return None
        if self._since_s is None:
            self._since_s = now_s
        at_once = not declared and late_ticks() > LATE_TICKS_MAX
        if now_s - self._since_s < SUSTAINED_S and not at_once:
            return None
        self._since_s = None
        return not declared
