"""The planner's clock, and whether this node's wall clock may be planned with.

Rules:
1. The planner's clock is the wall clock at taking office plus monotonic time, slewed towards the wall
   clock: a step of the wall clock neither loses nor repeats a tick.
2. Nothing is planned before a majority of the voters' clocks is known (`unknown_clocks`), for UNKNOWN_S at
   most: peers that answer are known within a round trip of their connection.
3. A leader that differs by more than 1 s from the median of all voters' clocks does not plan and hands over
   to the reachable one nearest the median. Offsets are told against the monotonic clock, so a step of the
   own wall clock shows at once, however old the peers' words are; and a peer that just died is a witness.
4. A clock that was taken while it was wrong is thrown away: the office takes another when it is right. So is
   one that most nodes' clocks bore out then, being wrong too, and do not now (`is_refuted`): slewed, it would
   take days to make up an hour.
5. What a node tells its agents and clients of the time is put right by the same median (`correction_ms`):
   agents start by their node's clock, and would start early or never by a wrong one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from api.ports import NodeStatus

DEVIATION_MS_MAX = 1_000
UNKNOWN_S = 1.0  #: then a leader plans by its own clock alone: its peers answer, but do not tell theirs
_SLEW = 0.005  #: share of elapsed time by which the planner's clock may move towards the wall clock


def wall_base_ms() -> int:
    """The wall clock minus the monotonic one: constant but for steps and slewing of the wall clock. The same
    in every process of a host."""
    return round(time.time() * 1000 - time.monotonic() * 1000)


class OfficeClock:
    """UTC milliseconds that run with the monotonic clock and are slewed, never stepped."""

    def __init__(self, base_ms: int, *, wall_s: Callable[[], float] = time.time) -> None:
        """`base_ms`: a `wall_base_ms` that was found right. `wall_s`: the wall clock."""
        self._wall_s = wall_s
        self._base_s = time.monotonic()
        self._base_ms = base_ms + self._base_s * 1000

    def now_ms(self) -> int:
        elapsed_ms = (time.monotonic() - self._base_s) * 1000
        now_ms = self._base_ms + elapsed_ms
        error_ms = self._wall_s() * 1000 - now_ms
        if elapsed_ms > 1_000:
            limit_ms = elapsed_ms * _SLEW
            self._base_ms = now_ms + max(-limit_ms, min(limit_ms, error_ms))
            self._base_s += elapsed_ms / 1000
            now_ms = self._base_ms
        return int(now_ms)

    def behind_ms(self) -> float:
        """How far the wall clock is ahead of it."""
        now_ms = self._base_ms + (time.monotonic() - self._base_s) * 1000
        return self._wall_s() * 1000 - now_ms


def unknown_clocks(status: NodeStatus) -> bool:
    """Whether fewer clocks are known than a majority of the voters, this node among them, has."""
    voters = [p for p in status.peers if p.voter]
    known = sum(1 for p in voters if p.clock_offset_ms is not None)
    return 2 * (known + 1) <= len(voters) + 1


def correction_ms(status: NodeStatus, base_ms: int) -> int:
    """What to add to this node's wall clock where it differs by more than 1 s from the median of all voters'
    clocks; of two nobody can say which is wrong: 0. `base_ms`: the `wall_base_ms` of now, as the status may
    be older than a step of the wall clock."""
    offsets = _offsets(status, base_ms)
    deviation_ms = statistics.median([0, *offsets.values()]) if len(offsets) > 1 else 0
    return round(deviation_ms) if abs(deviation_ms) > DEVIATION_MS_MAX else 0


def truer_clock(status: NodeStatus, base_ms: int) -> str | None:
    """The reachable peer whose clock is nearest the median of all, when this node's is wrong.

    None while this node's clock is sound, or nearest itself: handing over would only go round.
    """
    median_ms = correction_ms(status, base_ms)
    offsets = _offsets(status, base_ms)
    heirs = [p.node for p in status.peers if p.reachable and p.node in offsets]
    if not median_ms or not heirs:
        return None
    nearest = min(heirs, key=lambda node: (abs(offsets[node] - median_ms), node))
    return nearest if abs(offsets[nearest] - median_ms) < abs(median_ms) else None


def is_refuted(status: NodeStatus, base_ms: int, behind_ms: float) -> bool:
    """Whether an office's clock, by so much behind this node's wall clock, is wrong by the median of all
    voters' clocks, and the wall clock right. Where two are known nobody can say: False."""
    if abs(behind_ms) <= DEVIATION_MS_MAX or len(_offsets(status, base_ms)) < 2:
        return False
    return correction_ms(status, base_ms) == 0


def _offsets(status: NodeStatus, base_ms: int) -> dict[str, int]:
    """The voters' clocks minus this node's, as it is now."""
    stepped_ms = base_ms - status.wall_base_ms
    return {
        p.node: p.clock_offset_ms - stepped_ms
        for p in status.peers
        if p.voter and p.clock_offset_ms is not None
    }
