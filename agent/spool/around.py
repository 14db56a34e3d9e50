"""What runs before and after the work of an attempt: as its user, in its environment and folder.

Rules of this file:

0. Where the work is there for what it makes (`skip_if_exists`), that is looked for before all else, and
   again after work that ended by itself. What is there is not made; what is not there then, was not made.
   Where nobody can see it, as in an object store that does not answer, the work is not begun: it might be
   done twice.
1. `before` of the namespace that fails, or cannot start, is the attempt's failure: the work is not begun.
2. `after` comes once something was begun: after a success, a failure, a time-out, a cancel, and a `before`
   that failed. It is told what came of it. It does not come once the lease or the spooler ends.
3. What `after` comes to changes nothing of the attempt's end; it is told in its detail.
4. `before` is in the attempt's timeout. `after` has AFTER_MS, also where that is over; then the grace.
"""

from __future__ import annotations

import signal
from typing import NamedTuple

from agent import looking

LOOK, BEFORE, WORK, AGAIN, AFTER = "look", "before", "work", "look again", "after"
START_FAILED = "start_failed"
UNSEEN = "nobody could see whether it is there, its output says why"
EXISTS, UNMET = "exists", "unmet"  #: reasons of an Exit: it was there before, it was not there after
AFTER_MS = 60_000
STATE, EXIT_CODE, SIGNAL = "CRONCLAVE_STATE", "CRONCLAVE_EXIT_CODE", "CRONCLAVE_SIGNAL"
_STATES = {"timeout": "timed_out", "cancelled": "cancelled"}


class Ended(NamedTuple):
    """The end of a process."""

    status: int  #: exit code, or number of the signal
    by_signal: bool
    at_ms: int

    @property
    def is_good(self) -> bool:
        return not self.by_signal and self.status == 0

    @property
    def code(self) -> int | None:
        return None if self.by_signal else self.status

    @property
    def signal(self) -> int | None:
        return self.status if self.by_signal else None


def told_after(cause: str, work: Ended | None, *, unmet: bool) -> dict[str, str]:
    """The variables of `after` alone. `cause`: why the attempt was ended; `work`: how it ended; None: it was
    not begun. `unmet`: what it was to make is not there."""
    good = work is not None and work.is_good and not unmet
    return {
        STATE: _STATES.get(cause) or ("succeeded" if good else "failed"),
        EXIT_CODE: "" if work is None or work.code is None else str(work.code),
        SIGNAL: "" if work is None or work.signal is None else str(work.signal),
    }


def said_of_look(name: str, end: Ended) -> tuple[str, str] | None:
    """Why there is no work after the first look, for an Exit's reason and in words; None: there is."""
    if end.is_good:
        return EXISTS, f"{name} is there"
    if is_unknown(name, end):  # it might be done twice
        return START_FAILED, f"{name}: {UNSEEN}"
    return None


def said_of_second_look(name: str, end: Ended, *, cut: bool) -> str:
    """Why what was to be made does not count, for people. `cut`: it took too long, or was ended."""
    if cut:
        return "nobody could see in time whether it is there"
    return UNSEEN if is_unknown(name, end) else "it is not there"


def is_unknown(name: str, end: Ended) -> bool:
    return looking.is_stored(name) and end.code != looking.NOT_THERE


def said(phase: str, end: Ended, *, cut: bool) -> str:
    """What one of these two came to, for people. `cut`: its time was over, or it was ended."""
    how = f"ended with exit code {end.status}"
    if end.by_signal:
        name = next((f" ({each.name})" for each in signal.Signals if each.value == end.status), "")
        how = f"killed by signal {end.status}{name}"
    return f"{phase}: {how}{', since its time was over or it was cancelled' if cut else ''}"
