"""Two clocks: CLOCK_BOOTTIME for every duration, and what is known of the node's clock for due instants.

CLOCK_BOOTTIME goes on while the host sleeps, so a lease, a timeout or a grant runs out then too.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SAMPLES = 10


def boot_ms() -> float:
    """Milliseconds since the host's boot, sleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6


def wall_ms() -> int:
    """UTC milliseconds since the Unix epoch by this host's clock."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class HostClock:
    """This host's two clocks, as everything that keeps the time gets them; a test gives others."""

    boot_ms: Callable[[], float] = boot_ms
    wall_ms: Callable[[], int] = wall_ms


class NodeClock:
    """A lower bound of the node's clock, so that nothing starts early.

    A Pong was stamped before it arrived: at its arrival the node's clock shows at least its stamp. Of the
    last SAMPLES Pongs the one that travelled fastest gives the tightest bound. The middle of the round
    trip, as NTP takes it, would be early by up to half the asymmetry of the link; this is late by at most
    the way back.
    """

    def __init__(self, host: HostClock | None = None) -> None:
        self._host = host or HostClock()
        self._offsets: deque[float] = deque(maxlen=SAMPLES)

    def reset(self) -> None:
        """Another node, another clock: the next Pong counts alone."""
        self._offsets = deque(list(self._offsets)[-1:], maxlen=SAMPLES)
        self._stale = True

    _stale = False

    def pong(self, node_ms: int, received_boot_ms: float) -> None:
        if self._stale:
            self._offsets.clear()
            self._stale = False
        self._offsets.append(node_ms - received_boot_ms)

    def begin(self, offset_ms: float) -> None:
        """As an earlier process of this boot knew it: the first Pong counts alone."""
        self._offsets = deque([offset_ms], maxlen=SAMPLES)
        self._stale = True

    @property
    def offset(self) -> float | None:
        """What the boot time lacks to the node's clock; None: no node has said it."""
        return max(self._offsets) if self._offsets else None

    def now_ms(self) -> float:
        """The node's clock, surely not ahead of it; this host's clock before the first Pong."""
        if not self._offsets:
            return self._host.wall_ms()
        return self._host.boot_ms() + max(self._offsets)
