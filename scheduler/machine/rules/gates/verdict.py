"""What a gate says: for the machine a verdict, for people the words to it."""

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


class Words(NamedTuple):
    """A verdict that is not READY, for people."""

    reason: str
    opens: str = ""  #: what would open the gate; empty: nothing does
    since_ms: int | None = None
    opens_ms: int | None = None  #: when it opens by itself
