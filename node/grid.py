"""When what can wait leaves: at instants that all fronts of the cluster share, so that it meets in one round.

Rules:

1. A commit round costs about as much as the work of four ticks, whatever it carries. So under load claims,
   ends and plans wait for the next instant of a grid; what somebody waits for never does, and takes along
   whatever waits.
2. The grid follows the load: none while little is done or commits are fast, up to `STEPS_MS[0]`. Each step
   is a multiple of the next: fronts that differ by a step still meet.
3. Its time is the monotonic clock, put to the leader's by the measured offset: a wall clock that steps, or is
   wrong, moves no instant by more than the status that tells of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from api.ports import NodeStatus

STEPS_MS = (40, 20, 10)
COMMITS_A_STEP = 8  #: a step is no longer than so many commits: where they are fast, rounds are cheap
COMMANDS_A_STEP_MS = 1.25  #: commands a second for each ms of the step: fewer would meet nobody
EVENTS_A_COMMAND = 2
MEMORY_S = 2.0  #: over so long the rate is taken: ticks come in bursts, once a second


class Grid:
    """One of a front."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, steps_ms: Sequence[int] = STEPS_MS
    ) -> None:
        self._clock = clock
        self._steps_ms = steps_ms
        self._base_ms = 0.0
        self._events = 0.0  #: of late, the older the less
        self._counted_s = clock()
        self.commit_s = 0.005  #: moving average of the time from sending a frame to its outcome

    def heard(self, events: int) -> None:
        """A commit told of so many, of whatever front."""
        now_s = self._clock()
        self._events = self._events * math.exp((self._counted_s - now_s) / MEMORY_S) + events
        self._counted_s = now_s

    def follow(self, status: NodeStatus) -> None:
        """The leader's clock gives the beat."""
        offsets = {peer.node: peer.clock_offset_ms for peer in status.peers}
        self._base_ms = status.wall_base_ms + (offsets.get(status.leader or "") or 0)

    @property
    def step_s(self) -> float:
        """From one instant to the next; 0: nothing waits."""
        events = self._events * math.exp((self._counted_s - self._clock()) / MEMORY_S)
        rate = events / MEMORY_S / EVENTS_A_COMMAND
        most_ms = min(rate / COMMANDS_A_STEP_MS, self.commit_s * 1000 * COMMITS_A_STEP)
        return next((step for step in self._steps_ms if step <= most_ms), 0) / 1000

    def wait_s(self, after_s: float = 0.0) -> float:
        """From now to the first instant that is `after_s` away or later; without a grid just that."""
        step_s = self.step_s
        if not step_s:
            return after_s
        at_s = self._clock() + self._base_ms / 1000 + after_s
        return after_s + (-at_s) % step_s
