"""Is this history linearizable? The search of Wing and Gong with Lowe's cache.

J. M. Wing, C. Gong: Testing and verifying concurrent objects, 1993; G. Lowe: Testing for linearizability,
2017.

Rules: an operation that never returned may take effect at any time after its call, or never. The search is
bounded by steps, not by time, so that it says the same on every machine; beyond the bound it is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

STEPS_MAX = 2_000_000
State = TypeVar("State", bound=Hashable)
Call = TypeVar("Call")


@dataclass(frozen=True, slots=True)
class Span(Generic[Call]):
    """One call on the line of time. returned_s is infinite where it never came back."""

    called_s: float
    returned_s: float
    call: Call


@dataclass(frozen=True, slots=True)
class Found:
    linearizable: bool | None  #: None: not decided within the bound
    order: tuple[int, ...]  #: the longest legal order that was found, as places in the list of spans
    stuck: int | None = None  #: the span that fits nowhere behind it


def linearizable(
    spans: Sequence[Span[Call]],
    initial: State,
    step: Callable[[State, Call], State | None],
    *,
    steps_max: int = STEPS_MAX,
) -> Found:
    """`step` gives the state after a call, or None where the call's result is impossible in this state."""
    moments = [(span.called_s, 0, i) for i, span in enumerate(spans)]
    moments += [(span.returned_s, 1, i) for i, span in enumerate(spans)]
    moments.sort(key=lambda moment: moment[:2])
    size = len(moments)
    head, end = size, size + 1  # a doubly linked list over places in `moments`
    after = [*range(1, size), end, 0 if size else end, -1]
    before = [head, *range(size - 1), -1, size - 1 if size else head]
    if not size:
        return Found(True, ())
    place = {(kind, i): k for k, (_, kind, i) in enumerate(moments)}
    owed = sum(span.returned_s != math.inf for span in spans)

    def cut(k: int) -> None:
        after[before[k]], before[after[k]] = after[k], before[k]

    def restore(k: int) -> None:
        after[before[k]] = before[after[k]] = k

    state: State = initial
    taken = 0  # a bit for each span that is in the order
    seen: set[tuple[int, State]] = set()
    stack: list[tuple[int, State]] = []
    best: tuple[int, ...] = ()
    stuck: int | None = None
    k = after[head]
    for _ in range(steps_max):
        if not owed:
            return Found(True, tuple(i for i, _ in stack))
        if k != end and moments[k][1] == 0:
            i = moments[k][2]
            reached = step(state, spans[i].call)
            key = None if reached is None else (taken | 1 << i, reached)
            if reached is not None and key is not None and key not in seen:
                seen.add(key)
                stack.append((i, state))
                state, taken = reached, taken | 1 << i
                cut(place[1, i])
                cut(k)
                owed -= spans[i].returned_s != math.inf
                k = after[head]
            else:
                k = after[k]
            continue
        # A return whose call is not in the order yet: one of those before was placed wrongly.
        if stuck is None or len(stack) > len(best):
            best = tuple(i for i, _ in stack)
            stuck = moments[k][2] if k != end else None
        if not stack:
            return Found(False, best, stuck)
        i, state = stack.pop()
        taken &= ~(1 << i)
        owed += spans[i].returned_s != math.inf
        k = place[0, i]
        restore(k)
        restore(place[1, i])
        k = after[k]
    return Found(None, best, stuck)
