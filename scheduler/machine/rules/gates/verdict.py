"""What a gate says."""

from __future__ import annotations

from typing import NamedTuple


class Ready(NamedTuple):
    """Nothing here is in the way. There is one, `READY`: who asks compares by `is`."""


class Waits(NamedTuple):
    """Not now; what opens the gate asks again."""

    reason: str
    run: int = 0  #: the run in the way, where there is one


class Never(NamedTuple):
    """Not ever: it ends with this outcome."""

    outcome: str
    reason: str
    run: int = 0  #: as in `Waits`


Verdict = Ready | Waits | Never

READY = Ready()
