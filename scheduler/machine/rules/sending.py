"""When an effect is tried again, and when it is given up. Pure.

Rules of this file:

1. The pause doubles with each failure up to a longest one, and is never shorter than the receiver asks for.
   It is spread by the effect's id: what failed together does not come back together.
2. What could not be sent within LIVES_MS is given up, and kept for a person to look at. A try for which no
   time is left is not waited for.
3. How many wait is limited, in all and for one target: one dead receiver takes no other's place."""

from __future__ import annotations

FIRST_MS = 2_000
LONGEST_MS = 15 * 60_000
ASKED_MS_MAX = 3_600_000  #: of a receiver that asks for a pause
LIVES_MS = 24 * 3_600_000
KEPT_MS = 7 * 24 * 3_600_000  #: after it was given up

WAITING_MAX = 10_000
WAITING_FOR_ONE_MAX = 1_000
GIVEN_UP_MAX = 1_000

_SPREAD = 2_654_435_761
"""Knuth's multiplier (TAOCP 3, 6.4): neighbouring ids come to lie far apart."""


def next_ms(
    effect: int, failures: int, *, now_ms: int, until_ms: int, wait_ms: int = 0, is_final: bool = False
) -> int | None:
    """The instant of the next try, after so many failures; None: given up."""
    if is_final:
        return None
    pause_ms = max(backoff_ms(effect, failures), min(wait_ms, ASKED_MS_MAX))
    return now_ms + pause_ms if now_ms + pause_ms < until_ms else None


def backoff_ms(effect: int, failures: int) -> int:
    """The pause after so many failures: up to a quarter longer than its doubled step."""
    step_ms = min(LONGEST_MS, FIRST_MS << min(failures - 1, 20))
    return step_ms + (effect * _SPREAD + failures * 40_503) % (1 << 32) * (step_ms // 4) // (1 << 32)


def why_full(waiting: int, waiting_for_target: int) -> str:
    """Why nothing more is taken in for a target; empty: it is."""
    if waiting_for_target >= WAITING_FOR_ONE_MAX:
        return f"the outbox is full: {WAITING_FOR_ONE_MAX} wait to be sent there"
    return f"the outbox is full: {WAITING_MAX} wait to be sent" if waiting >= WAITING_MAX else ""
